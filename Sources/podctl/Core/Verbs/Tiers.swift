internal import ArgumentParser
internal import PodAPI

struct Tiers: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the tiers: limits, workload, and how much of each is in use.")

  @OptionGroup var globals: GlobalOptions

  func run() throws {
    let rows = try globals.client().listTiers()
    globals.present(json: .array(rows.map(\.json)), list: true) { Listing.tiers(rows, $0) }
  }
}
