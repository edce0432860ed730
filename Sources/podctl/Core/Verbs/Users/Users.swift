internal import ArgumentParser

struct Users: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "users",
    abstract: "List the users: tier, pod, amount of data, status.")

  @OptionGroup var globals: GlobalOptions

  func run() throws { try Listing.users.show(globals.context) }
}
