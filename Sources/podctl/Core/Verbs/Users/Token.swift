internal import ArgumentParser
internal import Linux
internal import PodAPI
internal import PodModel

struct Token: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token",
    abstract: "Sign a token with which a user's requests pass the front door.",
    discussion: """
      Needs the package podctl-gate and the right to read its keys. For tests and first steps: whoever has the \
      token has the user's access until it expires.
      """)

  @OptionGroup var globals: GlobalOptions

  @Option(
    help: ArgumentHelp("For how long it is good, as in systemd.time(7), at most 1y.", valueName: "span"))
  var ttl = "1h"

  @Argument(help: "The user, an e-mail address or a plain name.", completion: .users)
  var user: String

  /// podctl itself is not linked with libcrypto, which would make its start longer.
  static let signer = "/usr/lib/podctl/podgate"

  func validate() throws { _ = try checkedUser(user) }

  func run() throws {
    let user = try checkedUser(user)
    if let host = globals.host {
      let arguments = ["token", "--ttl", ttl] + (globals.json ? ["--json"] : []) + [user.text]
      throw Child.replaceProcess(Remote.command(host: host, arguments: arguments, terminal: false))
    }
    guard Files.exists(Self.signer) else {
      throw Failure("tokens are signed by podgate, which is not installed; apt install podctl-gate")
    }
    guard let (status, bytes) = Child.output(of: [Self.signer, "sign", user.text, ttl]) else {
      throw Failure("\(Self.signer) cannot be started")
    }
    // podgate has said why.
    guard status == 0 else { throw Failure("", status: SysExit(rawValue: status) ?? .failed) }
    let token = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    let json = JSON.object([("user", .string(user.text)), ("token", .string(token))])
    globals.context.present(json: json) { _ in token + "\n" }
  }
}
