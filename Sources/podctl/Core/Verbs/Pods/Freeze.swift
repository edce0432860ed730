internal import ArgumentParser
internal import PodAPI

struct Freeze: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "freeze",
    abstract: "Pause a pod: its processes keep their memory and get no CPU.")

  @OptionGroup var globals: GlobalOptions

  @Argument(help: "The pod, e.g. pod-001.", completion: .pods)
  var pod: String

  func validate() throws { _ = try checkedPod(pod) }

  func run() throws { try globals.context.perform(.freeze, on: pod) }
}
