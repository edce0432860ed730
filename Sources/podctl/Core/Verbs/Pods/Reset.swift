internal import ArgumentParser
internal import PodAPI

struct Reset: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reset",
    abstract: "Launch a pod again after a crash loop (its start limit was hit).")

  @OptionGroup var globals: GlobalOptions

  @Argument(help: "The pod, e.g. pod-001.", completion: .pods)
  var pod: String

  func validate() throws { _ = try checkedPod(pod) }

  func run() throws { try globals.context.perform(.reset, on: pod) }
}
