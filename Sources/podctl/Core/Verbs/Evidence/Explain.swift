internal import ArgumentParser
internal import PodAPI

struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Show the evidence behind a pod's state, and what happens next.")

  @OptionGroup var globals: GlobalOptions

  @Argument(help: "The pod, e.g. pod-001.", completion: .pods)
  var pod: String

  func validate() throws { _ = try checkedPod(pod) }

  func run() throws {
    let client = try globals.context.client()
    let properties = try client.pod(pod)
    guard let explanation = Explanation(properties, recentMemory: RecentMemory.request(client, pod)) else {
      throw Failure("podd's reply about \(pod) is incomplete; are podctl and podd of the same version?")
    }
    globals.context.present(json: explanation.json) { explanation.page($0) }
  }
}
