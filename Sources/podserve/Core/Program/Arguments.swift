/// The command line of podserve.
public enum Arguments: Equatable, Sendable {
  case help
  case version
  /// `address` is nil when the listening socket is passed by podd.
  case serve(users: String, address: String?, port: UInt16?)

  public struct Problem: Error, Equatable, Sendable {
    public let reason: String
  }

  public static let helpText = """
    podserve [OPTIONS...]

    Serves phext documents over HTTP, one directory a user.

      -h --help             Show this help
         --version          Show the version
         --users=FILE       The users: {"users":[{"user":…,"token":…,"directory":…}]}
         --address=ADDRESS  Listen here when no socket is passed (LISTEN_FDS)
         --port=PORT        and at this port

    SIGHUP reads the users file again; SIGTERM finishes open requests and exits.

    """

  /// - Parameter words: The command line without the program's name. A value may follow `=` or be the next
  ///   word.
  public static func parse(_ words: some Sequence<String>) throws(Problem) -> Arguments {
    var users: String?
    var address: String?
    var port: String?
    var rest = words.makeIterator()
    while let word = rest.next() {
      if word == "--help" || word == "-h" { return .help }
      if word == "--version" { return .version }
      let equals = word.utf8.firstIndex(of: UInt8(ascii: "="))
      let name = word[..<(equals ?? word.endIndex)]
      guard name == "--users" || name == "--address" || name == "--port" else {
        throw Problem(reason: "Unknown argument \(word); see podserve --help.")
      }
      let value = if let equals { String(word[word.utf8.index(after: equals)...]) } else { rest.next() }
      guard let value, !value.isEmpty else {
        throw Problem(reason: "\(name) needs a value; see podserve --help.")
      }
      switch name {
      case "--users": users = value
      case "--address": address = value
      default: port = value
      }
    }
    guard let users else {
      throw Problem(reason: "--users=FILE is missing; see podserve --help.")
    }
    let number = port.flatMap { UInt16($0) }
    guard (port == nil) == (number == nil), number != 0, (address == nil) == (number == nil) else {
      throw Problem(reason: "--address and --port (1-65535) belong together; see podserve --help.")
    }
    return .serve(users: users, address: address, port: number)
  }
}
