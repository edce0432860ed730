internal import ArgumentParser
internal import Glibc
internal import HostCheck
internal import PodAPI

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check this host and say how to mend what is missing.",
    discussion: "Ends with status 1 when something is missing without which pods do not run.")

  @OptionGroup var globals: GlobalOptions

  @Option(
    help: ArgumentHelp("Look at the files of a host below another directory.", visibility: .hidden))
  var root: String?

  func run() throws {
    try globals.context.handOver(["doctor"])
    var checks = HostCheck(root: root ?? "/").run()
    if root == nil { checks += Diagnosis.service { () throws(CallError) in try Client().status() } }
    globals.context.present(json: Diagnosis.json(checks)) { Diagnosis.page(checks, $0) }
    if checks.contains(where: { $0.finding?.severity == .fatal }) { throw Failure("", status: .failed) }
  }
}
