/// One user of the pod, from the users file.
public struct User: Equatable, Sendable {
  public let name: String
  let token: [UInt8]
  /// Absolute path of the directory that holds the user's documents.
  public let directory: String
  /// Most bytes that all of the user's documents may have together; nil: no limit of their own.
  public let dataMax: Int?

  public init(name: String, token: String, directory: String, dataMax: Int?) {
    self.name = name
    self.token = Array(token.utf8)
    self.directory = directory
    self.dataMax = dataMax
  }
}

/// The users of this pod, from the users file `{"users":[{"user":…,"token":…,"directory":…}]}`, where
/// `"data_max"` (bytes) may be added and other keys are ignored.
public struct UserTable: Sendable {
  /// Why a users file is refused; the sentence never contains a token.
  public struct Problem: Error, Equatable, Sendable {
    public let reason: String
  }

  private static let maximumUsers = 1000
  private let users: [User]

  public var count: Int { users.count }

  public init(_ users: [User]) {
    self.users = users
  }

  public init(json bytes: [UInt8]) throws(Problem) {
    let root: JSONValue
    do {
      root = try JSONParser.parse(bytes)
    } catch {
      throw Problem(reason: "line \(error.line): \(error.reason)")
    }
    guard case .object(let members) = root, case .array(let entries)? = members["users"] else {
      throw Problem(reason: "it is not an object with an array \"users\"")
    }
    guard entries.count <= Self.maximumUsers else {
      throw Problem(reason: "it has more than \(Self.maximumUsers) users")
    }
    var users: [User] = []
    for (index, entry) in entries.enumerated() {
      let user = try Self.user(entry, number: index + 1)
      guard !users.contains(where: { $0.token == user.token }) else {
        throw Problem(reason: "\(user.name) has the same \"token\" as another user")
      }
      users.append(user)
    }
    self.users = users
  }

  private static func user(_ entry: JSONValue, number: Int) throws(Problem) -> User {
    func text(_ key: String, _ members: [JSONValue.Member]) throws(Problem) -> String {
      guard case .string(let text)? = members[key], !text.isEmpty, text.utf8.count <= 4096,
        !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
      else { throw Problem(reason: "user number \(number): \"\(key)\" is not a plain text") }
      return text
    }
    guard case .object(let members) = entry else {
      throw Problem(reason: "user number \(number) is not an object")
    }
    let name = try text("user", members)
    let token = try text("token", members)
    let directory = try text("directory", members)
    guard directory.hasPrefix("/") else {
      throw Problem(reason: "\(name): \"directory\" is not an absolute path")
    }
    let dataMax: Int?
    switch members["data_max"] {
    case nil, .null: dataMax = nil
    case .integer(let bytes) where bytes >= 0: dataMax = bytes
    default: throw Problem(reason: "\(name): \"data_max\" is not a number of bytes")
    }
    return User(name: name, token: token, directory: directory, dataMax: dataMax)
  }

  /// The user of a token. Every user's token is compared to its end, so that the time does not reveal
  /// how much of a guess was right.
  public func user(token: ArraySlice<UInt8>) -> User? {
    let token = Array(token)
    var found: User?
    for user in users where Self.isEqual(user.token, token) { found = user }
    return found
  }

  private static func isEqual(_ known: [UInt8], _ given: [UInt8]) -> Bool {
    var difference = known.count ^ given.count
    for index in known.indices {
      difference |= Int(known[index] ^ (given.isEmpty ? 0 : given[index % given.count]))
    }
    return difference == 0
  }
}
