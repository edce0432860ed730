internal import ArgumentParser
internal import PodAPI

struct Pods: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the pods: state, users, memory, address, last exit.")

  @OptionGroup var globals: GlobalOptions

  func run() throws {
    let rows = try globals.client().listPods()
    globals.present(json: .array(rows.map(\.json)), list: true) { Listing.pods(rows, $0) }
  }
}
