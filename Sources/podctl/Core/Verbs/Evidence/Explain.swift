internal import ArgumentParser
internal import PodAPI

struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the evidence behind a pod's state, and what would happen next.")

  @OptionGroup var globals: GlobalOptions

  @Argument(help: "The pod, e.g. pod-001.", completion: .pods)
  var pod: String

  func validate() throws { _ = try checkedPod(pod) }

  func run() throws {
    let client = try globals.context.client()
    guard let explanation = Explanation(try client.pod(pod), trend: MemoryCourse.ask(client, pod)) else {
      throw Failure("podd's answer about \(pod) lacks its name or state; are podctl and podd of one version?")
    }
    globals.context.present(json: explanation.json) { explanation.page($0) }
  }
}
