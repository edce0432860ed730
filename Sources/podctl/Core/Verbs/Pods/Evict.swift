internal import ArgumentParser
internal import PodAPI

struct Evict: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evict",
    abstract: "Stop a pod to free its memory; the next connection wakes it.")

  @OptionGroup var globals: GlobalOptions

  @Flag(name: .customLong("dry-run"), help: "Do nothing; print what would be done.")
  var dryRun = false

  @Argument(help: "The pod, e.g. pod-001.", completion: .pods)
  var pod: String

  func validate() throws { _ = try checkedPod(pod) }

  func run() throws { try globals.context.perform(.evict, on: pod, dryRun: dryRun) }
}
