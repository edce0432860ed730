internal import ArgumentParser
internal import PodAPI
internal import PodModel

struct Deprovision: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "deprovision",
    abstract: "Remove a user; the data is kept aside for a later provision.")

  @OptionGroup var globals: GlobalOptions

  @Flag(help: "Delete the user's data for good.")
  var purge = false

  @Argument(help: "The user, an e-mail address or a plain name.", completion: .users)
  var user: String

  func validate() throws { _ = try checkedUser(user) }

  func run() throws {
    let user = try checkedUser(user)
    try globals.context.client().deprovision(user: user, purge: purge)
    let json = JSON.object([("user", .string(user.text)), ("purged", .bool(purge))])
    globals.context.present(json: json) { _ in "" }
  }
}
