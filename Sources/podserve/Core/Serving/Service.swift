internal import HTTPWire

/// The version that `/api/v2/version` and `--version` report.
public let podserveVersion = "0.1.0"

/// Interprets requests: the user, the document, and the operation.
public struct Service {
  enum Command: String {
    case version, select, insert, update, delete, toc

    /// SQ changes documents on GET too, and its clients count on it; HEAD never changes anything.
    var methods: [String] {
      switch self {
      case .version, .select, .toc: ["GET", "HEAD"]
      case .insert, .update: ["GET", "POST"]
      case .delete: ["GET"]
      }
    }
  }

  /// What to do with a request once its head is known.
  enum Decision {
    case reply(Reply)
    /// The upload is to receive the body.
    case receive(Upload)
  }

  /// Replaced when the users file has been read again; requests under way keep the user with which they
  /// began.
  public var users: UserTable
  private let limits: StorageLimits
  private let loads: UserLoads

  public init(users: UserTable, limits: StorageLimits = StorageLimits()) {
    self.users = users
    self.limits = limits
    loads = UserLoads(requestsMax: limits.requests)
  }

  /// - Parameter share: gets the request's part of its user's load, which lasts until the response is sent.
  func begin(_ head: RequestHead, _ share: inout RequestShare?) -> Decision {
    do {
      return try decide(head, &share)
    } catch let error as HTTPError {
      return .reply(Reply(error))
    } catch let error as StorageError {
      return .reply(Reply(error))
    } catch {
      return .reply(Reply("The request failed.\n", status: 500))
    }
  }

  private func decide(_ head: RequestHead, _ taken: inout RequestShare?) throws -> Decision {
    guard let user = try authenticate(head) else {
      return .reply(
        Reply(
          "Authorization: Bearer TOKEN with a token of this pod is needed.\n", status: 401,
          fields: [("WWW-Authenticate", "Bearer")]))
    }
    let share = try loads.begin(user)
    taken = share
    let prefix = "/api/v2/"
    guard head.path.hasPrefix(prefix),
      let command = Command(rawValue: String(head.path.dropFirst(prefix.count)))
    else { throw HTTPError(404, "There is nothing here; the commands are /api/v2/{\(Self.commandNames)}.") }
    guard command.methods.contains(head.method) else {
      return .reply(
        Reply(
          "\(head.method) is not a method of \(command.rawValue).\n", status: 405,
          fields: [("Allow", command.methods.joined(separator: ", "))]))
    }
    if head.method == "POST" { return .receive(try upload(command, head, user, share)) }
    guard head.framing == .none || head.framing == .length(0) else {
      throw HTTPError(400, "\(head.method) takes no body; POST it.")
    }
    if command == .version { return .reply(Reply(podserveVersion)) }
    return .reply(try perform(command, Query(head.query), user, share))
  }

  private static let commandNames = "version,select,insert,update,delete,toc"

  private func authenticate(_ head: RequestHead) throws -> User? {
    guard let value = try head.value(of: "authorization") else { return nil }
    let scheme = "bearer "
    guard value.count > scheme.utf8.count,
      zip(value, scheme.utf8).allSatisfy({ $0 == $1 || $0 | 0x20 == $1 })
    else { return nil }
    return users.user(token: value.dropFirst(scheme.utf8.count).drop { $0 == 0x20 })
  }

  private func upload(
    _ command: Command, _ head: RequestHead, _ user: User, _ share: RequestShare
  ) throws -> Upload {
    guard head.framing != .none else {
      throw HTTPError(411, "A POST needs Content-Length or chunked coding.")
    }
    let query = try Query(head.query)
    let upload = Upload(
      edit: command == .insert ? .append : .replace, name: try documentName(query),
      coordinate: try coordinate(query), text: query["s"], limit: limits.document,
      store: try DocumentStore(user: user, limits: limits), share: share)
    if case .length(let length) = head.framing { try upload.checkLength(length) }
    return upload
  }

  private func perform(
    _ command: Command, _ query: Query, _ user: User, _ share: RequestShare
  ) throws -> Reply {
    let name = try documentName(query)
    let store = try DocumentStore(user: user, limits: limits)
    switch command {
    case .toc:
      guard let document = try store.open(name) else { return Reply("") }
      let contents = TableOfContents(
        name: name.fileName, source: DocumentStore.source(document.file, name))
      return Reply(body: .contents(contents, length: try contents.measure()))
    case .select:
      let target = try coordinate(query)
      guard let document = try store.open(name) else { return Reply("") }
      let reader = ScrollReader(name: name.fileName, source: DocumentStore.source(document.file, name))
      guard let range = try Place(of: target, in: reader).own else { return Reply("") }
      return Reply(body: .file(document.file, range))
    case .delete:
      let removed = try store.apply(.remove, text: nil, at: try coordinate(query), to: name)
      return Reply("Removed \(removed) bytes")
    case .insert, .update:
      guard let text = query["s"] else {
        throw HTTPError(400, "The text is missing: s=TEXT, or POST it as the body.")
      }
      let upload = Upload(
        edit: command == .insert ? .append : .replace, name: name, coordinate: try coordinate(query),
        text: text, limit: limits.document, store: store, share: share)
      return try upload.finish()
    case .version:
      return Reply(podserveVersion)
    }
  }

  private func documentName(_ query: Query) throws -> DocumentName {
    guard let text = query["p"], !text.isEmpty else {
      throw HTTPError(400, "The document is missing: p=PHEXT.")
    }
    guard let name = DocumentName(text) else {
      throw HTTPError(
        400,
        "p= is not a document's name: 1-200 bytes of UTF-8 without / \\ .. and control characters, "
          + "not beginning with a dot.")
    }
    return name
  }

  private func coordinate(_ query: Query) throws -> Coordinate {
    // SQ uses the first coordinate when there is none.
    guard let text = query["c"], !text.isEmpty else { return .origin }
    guard let coordinate = Coordinate(text) else {
      throw HTTPError(400, "c= is not a coordinate L.S.S/C.V.B/C.S.S of numbers from 1 to 99.")
    }
    return coordinate
  }
}

extension Reply {
  init(_ error: HTTPError) {
    self.init(error.reason + "\n", status: error.status)
  }
}
