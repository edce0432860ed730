internal import ArgumentParser
internal import PodAPI

struct Resume: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume",
    abstract: "Give a suspended user access again, with a new token.")

  @OptionGroup var globals: GlobalOptions

  @Argument(help: "The user, an e-mail address or a plain name.", completion: .users)
  var user: String

  func validate() throws { _ = try checkedUser(user) }

  func run() throws {
    let user = try checkedUser(user)
    globals.context.present(user, status: try globals.context.client().resume(user: user))
  }
}
