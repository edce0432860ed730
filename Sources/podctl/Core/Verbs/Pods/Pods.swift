internal import ArgumentParser

struct Pods: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pods",
    abstract: "List the pods: state, users, memory, address, last exit.")

  @OptionGroup var globals: GlobalOptions

  func run() throws { try Listing.pods.show(globals.context) }
}
