internal import ArgumentParser
internal import Glibc
internal import HostCheck
internal import PodAPI

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Check this host and its settings files, and say how to fix what is wrong.",
    discussion: "Ends with status 1 when something is wrong that keeps pods from running.")

  @OptionGroup var globals: GlobalOptions

  @Flag(help: "Check instead what must hold at every moment: placements, processes, scopes.")
  var invariants = false

  @Option(
    help: ArgumentHelp("Check the files of a host below another directory.", visibility: .hidden))
  var root: String?

  func validate() throws {
    if invariants, root != nil { throw ValidationError("--invariants asks podd, which has no --root") }
  }

  func run() throws {
    if invariants { return try checkInvariants() }
    try globals.context.handOver(["doctor"])
    let host = HostCheck(root: root ?? "/")
    var checks = host.run() + host.room() + host.settings()
    let frontDoor = host.frontDoor()
    if root == nil {
      checks += Diagnosis.service { () throws(CallError) in try Client().status() }
      if !frontDoor.isEmpty {
        checks += Diagnosis.frontUnits { units throws(CallError) in try Client().activeStates(of: units) }
        checks += Diagnosis.frontFiles(of: Child.output(of: [Token.signer, "check"])?.bytes)
      }
    }
    checks += frontDoor
    globals.context.present(json: Diagnosis.json(checks)) { Diagnosis.page(checks, $0) }
    if checks.contains(where: { $0.finding?.severity == .fatal }) { throw Failure("", status: .failed) }
  }

  private func checkInvariants() throws {
    let violations = try globals.context.client().checkInvariants()
    globals.context.present(json: .array(violations.map { .string($0) })) {
      Diagnosis.page(violations: violations, $0)
    }
    if !violations.isEmpty { throw Failure("", status: .failed) }
  }
}
