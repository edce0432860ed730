internal import ArgumentParser
internal import PodAPI

struct Reset: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Clear a pod's crash-loop hold, so that it is started again.")

  @OptionGroup var globals: GlobalOptions

  @Argument(help: "The pod, e.g. pod-001.", completion: .pods)
  var pod: String

  func validate() throws { _ = try checkedPod(pod) }

  func run() throws { try globals.context.perform(.reset, on: pod) }
}
