internal import ArgumentParser
internal import PodAPI
internal import PodModel

struct Suspend: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "suspend",
    abstract: "End a user's access; the place and the data are kept.")

  @OptionGroup var globals: GlobalOptions

  @Argument(help: "The user, an e-mail address or a plain name.", completion: .users)
  var user: String

  func validate() throws { _ = try checkedUser(user) }

  func run() throws {
    let user = try checkedUser(user)
    globals.context.present(user, status: try globals.context.client().suspend(user: user))
  }
}

extension Context {
  /// The result of `suspend` and `resume`.
  func present(_ user: UserName, status: String) {
    present(json: .object([("user", .string(user.text)), ("status", .string(status))])) { _ in "" }
  }
}
