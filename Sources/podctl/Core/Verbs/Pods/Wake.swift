internal import ArgumentParser
internal import PodAPI

struct Wake: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Bring a pod back that is cold or frozen, as a request for it does.")

  @OptionGroup var globals: GlobalOptions

  @Argument(help: "The pod, e.g. pod-001.", completion: .pods)
  var pod: String

  func validate() throws { _ = try checkedPod(pod) }

  func run() throws { try globals.context.perform(.wake, on: pod) }
}
