internal import ArgumentParser
internal import PodAPI

struct Recycle: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recycle",
    abstract: "Replace the running generation of a pod gracefully.")

  @OptionGroup var globals: GlobalOptions

  @Flag(name: .customLong("dry-run"), help: "Do nothing; print what would be done.")
  var dryRun = false

  @Argument(help: "The pod, e.g. pod-001.", completion: .pods)
  var pod: String

  func validate() throws { _ = try checkedPod(pod) }

  func run() throws { try globals.context.perform(.recycle, on: pod, dryRun: dryRun) }
}
