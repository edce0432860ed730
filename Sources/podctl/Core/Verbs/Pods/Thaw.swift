internal import ArgumentParser
internal import PodAPI

struct Thaw: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "thaw",
    abstract: "Resume a frozen pod.")

  @OptionGroup var globals: GlobalOptions

  @Argument(help: "The pod, e.g. pod-001.", completion: .pods)
  var pod: String

  func validate() throws { _ = try checkedPod(pod) }

  func run() throws { try globals.context.perform(.thaw, on: pod) }
}
