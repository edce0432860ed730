internal import ArgumentParser

struct Tiers: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tiers",
    abstract: "List the tiers: limits, workload, and how much of each is in use.")

  @OptionGroup var globals: GlobalOptions

  func run() throws { try Listing.tiers.show(globals.context) }
}
