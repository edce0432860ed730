/// The values of `${…}` in a workload file, for one generation of one pod (podctl-workload(5), PLACEHOLDERS).
public struct Placeholders: Sendable, Equatable {
  /// The names that a workload file may use.
  public enum Name: String, Sendable, CaseIterable {
    case ADDRESS
    case PORT
    case POD
    case USERS_FILE
    case STATE_DIRECTORY
  }

  public var address: String
  public var port: Int
  public var pod: PodName
  /// `/run/podctl/pods/POD/users`
  public var usersFile: String
  /// `/var/lib/podctl/pods/POD`
  public var stateDirectory: String

  public init(address: String, port: Int, pod: PodName, usersFile: String, stateDirectory: String) {
    self.address = address
    self.port = port
    self.pod = pod
    self.usersFile = usersFile
    self.stateDirectory = stateDirectory
  }

  public subscript(name: Name) -> String {
    switch name {
    case .ADDRESS: address
    case .PORT: String(port)
    case .POD: pod.description
    case .USERS_FILE: usersFile
    case .STATE_DIRECTORY: stateDirectory
    }
  }

  /// Replaces `${NAME}` and `$$` within one word. The result is one word, also when a value has spaces. A word that
  /// `check` refuses is returned unchanged.
  public func expand(_ word: String) -> String {
    guard let pieces = try? Self.pieces(of: word) else { return word }
    return pieces.map { piece in
      switch piece {
      case .text(let text): text
      case .name(let name): self[name]
      }
    }.joined()
  }

  /// Refuses a word with a `$` that is neither `$$` nor one of the five names in braces.
  static func check(_ word: String) throws(ValueError) {
    _ = try pieces(of: word)
  }

  private enum Piece {
    case text(String)
    case name(Name)
  }

  private static func pieces(of word: String) throws(ValueError) -> [Piece] {
    var pieces: [Piece] = []
    var rest = word.utf8[...]
    while let dollar = rest.firstIndex(of: UInt8(ascii: "$")) {
      pieces.append(.text(String(decoding: rest[..<dollar], as: UTF8.self)))
      rest = rest[dollar...].dropFirst()
      switch rest.first {
      case UInt8(ascii: "$"):
        pieces.append(.text("$"))
        rest = rest.dropFirst()
      case UInt8(ascii: "{"):
        guard let brace = rest.firstIndex(of: UInt8(ascii: "}")) else {
          throw ValueError("${ is not closed by }")
        }
        let name = String(decoding: rest[..<brace].dropFirst(), as: UTF8.self)
        guard let known = Name(rawValue: name) else {
          let names = Name.allCases.map { "${\($0.rawValue)}" }.joined(separator: " ")
          throw ValueError("unknown placeholder \(quoted("${" + name + "}")); there are \(names)")
        }
        pieces.append(.name(known))
        rest = rest[brace...].dropFirst()
      default:
        throw ValueError("a lone $ in \(quoted(word)); write $$ for the sign itself, ${NAME} for a value")
      }
    }
    pieces.append(.text(String(decoding: rest, as: UTF8.self)))
    return pieces
  }
}

extension Workload {
  /// The parts of a workload that may have placeholders, with the values in their place.
  public struct Expanded: Sendable, Equatable {
    public var execStart: [String]
    /// Empty when the workload has no `ExecReload=`.
    public var execReload: [String]
    /// `KEY=VALUE`
    public var environment: [String]
  }

  /// Replaces the placeholders in `ExecStart=`, `ExecReload=` and `Environment=`.
  public func expand(_ placeholders: Placeholders) -> Expanded {
    Expanded(
      execStart: execStart.map(placeholders.expand),
      execReload: execReload.map(placeholders.expand),
      environment: environment.map(placeholders.expand))
  }
}
