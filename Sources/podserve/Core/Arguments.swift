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

  /// - Parameter words: The command line without the program's name. A value may follow `=` or be the next word.
  public static func parse(_ words: [String]) throws(Problem) -> Arguments {
    var values: [String: String] = [:]
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--help" || word == "-h" { return .help }
      if word == "--version" { return .version }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let name = parts.first ?? ""
      guard ["--users", "--address", "--port"].contains(name) else {
        throw Problem(reason: "Unknown argument \(word); see podserve --help.")
      }
      guard let value = parts.count == 2 ? parts[1] : rest.popFirst(), !value.isEmpty else {
        throw Problem(reason: "\(name) needs a value; see podserve --help.")
      }
      values[name] = value
    }
    guard let users = values["--users"] else {
      throw Problem(reason: "--users=FILE is missing; see podserve --help.")
    }
    let port = values["--port"].flatMap(UInt16.init)
    guard (values["--port"] == nil) == (port == nil), port != 0, (values["--address"] == nil) == (port == nil)
    else {
      throw Problem(reason: "--address and --port (1-65535) belong together; see podserve --help.")
    }
    return .serve(users: users, address: values["--address"], port: port)
  }
}
