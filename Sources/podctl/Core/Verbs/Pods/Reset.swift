internal import ArgumentParser
internal import PodAPI

struct Reset: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reset",
    abstract: "Launch a pod again after a crash loop (its start limit was hit).")

  @OptionGroup var globals: GlobalOptions

  @Flag(help: "Launch every pod again that is in crash-loop.")
  var all = false

  @Argument(help: "The pod, e.g. pod-001.", completion: .pods)
  var pod: String?

  func validate() throws {
    switch (pod, all) {
    case (nil, false): throw ValidationError("the pod is missing; give a name, or --all")
    case (.some, true): throw ValidationError("give a pod or --all, not both")
    case (let pod?, false): _ = try checkedPod(pod)
    case (nil, true): break
    }
  }

  func run() throws {
    if let pod { return try globals.context.perform(.reset, on: pod) }
    let client = try globals.context.client()
    let held = try client.listPods().filter { $0.state == "crash-loop" }.map(\.pod)
    let outcome = ResetAll.run(held) { pod throws(CallError) in try client.perform(.reset, on: pod) }
    for failure in outcome.failures { Output.complain(failure.error.message) }
    globals.context.present(json: outcome.json) { outcome.page($0) }
    if let worst = outcome.worstStatus { throw Failure("", status: worst) }
  }
}

/// One pod after the other: a pod that cannot be launched does not keep the others waiting for an administrator.
struct ResetAll {
  private(set) var states: [(pod: String, state: String)] = []
  private(set) var failures: [(pod: String, error: CallError)] = []

  static func run(_ pods: [String], _ reset: (String) throws(CallError) -> String) -> ResetAll {
    var outcome = ResetAll()
    for pod in pods {
      do throws(CallError) {
        outcome.states.append((pod, try reset(pod)))
      } catch {
        outcome.failures.append((pod, error))
        // Without podd the rest cannot succeed either.
        if error.status == .unreachable || error.status == .denied { break }
      }
    }
    return outcome
  }

  /// Of several failures the first one's; nil when there is none.
  var worstStatus: SysExit? { failures.first?.error.status }

  /// An object for each pod that was tried; `state` is null where it failed.
  var json: JSON {
    .array(
      states.map { .object([("pod", .string($0.pod)), ("state", .string($0.state))]) }
        + failures.map { .object([("pod", .string($0.pod)), ("state", .null)]) })
  }

  /// On a terminal, a line for each pod that was launched, or one that none was held.
  func page(_ style: Style) -> String {
    guard style.isTerminal else { return "" }
    if states.isEmpty && failures.isEmpty { return "No pod is in crash-loop.\n" }
    return states.map { "\(style.dot(state: $0.state)) \($0.pod) is \($0.state).\n" }.joined()
  }
}
