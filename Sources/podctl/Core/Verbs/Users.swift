internal import ArgumentParser
internal import PodAPI

struct Users: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the users: tier, pod, amount of data, status.")

  @OptionGroup var globals: GlobalOptions

  func run() throws {
    let rows = try globals.client().listUsers()
    globals.present(json: .array(rows.map(\.json)), list: true) { Listing.users(rows, $0) }
  }
}
