import HTTPWire
import PodAPI
import PodModel

/// What a request to the administrators' HTTP interface asks for (podctl-admin(8)).
enum AdminRequest: Equatable {
  case provision(UserName, tier: String?, cold: Bool)
  case deprovision(UserName, purge: Bool)
  case suspend(UserName)
  case resume(UserName)
  case listUsers
  case listPods
  case status
  case healthOfAll

  /// - Throws: 404 for another path, 405 for another method, and 400 for what the path, the query or the body says.
  init(_ head: RequestHead, body: [UInt8]) throws(AdminRefusal) {
    let resource = try Resource(path: head.path)
    guard head.method == resource.method else {
      throw AdminRefusal(
        405, "\(head.path) takes \(resource.method) only", fields: [("Allow", resource.method)])
    }
    self = try Self.request(of: resource, Options(query: head.query, body: body))
  }

  private static func request(of resource: Resource, _ options: consuming Options) throws(AdminRefusal)
    -> AdminRequest
  {
    let request: AdminRequest
    switch resource {
    case .provision(let user):
      request = .provision(
        user, tier: try options.body.takeString("tier"), cold: try options.body.takeBool("cold") ?? false)
    case .user(let user): request = .deprovision(user, purge: try options.flag("purge"))
    case .suspend(let user): request = .suspend(user)
    case .resume(let user): request = .resume(user)
    case .users: request = .listUsers
    case .pods: request = .listPods
    case .status: request = .status
    case .healthOfAll: request = .healthOfAll
    }
    try options.body.expectEmpty()
    return request
  }
}

/// What is below `/api/admin/`. Each takes one method.
private enum Resource {
  case provision(UserName)
  case user(UserName)
  case suspend(UserName)
  case resume(UserName)
  case users, pods, status, healthOfAll

  var method: String {
    switch self {
    case .provision, .suspend, .resume: "POST"
    case .user: "DELETE"
    case .users, .pods, .status, .healthOfAll: "GET"
    }
  }

  init(path: String) throws(AdminRefusal) {
    let words = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropFirst()
    guard words.starts(with: ["api", "admin"], by: { $0.elementsEqual($1.utf8) }) else {
      throw .notFound(path)
    }
    let rest = words.dropFirst(2).map { String(decoding: $0, as: UTF8.self) }
    switch (rest.count, rest.first, rest.count == 3 ? rest[2] : nil) {
    case (2, "provision", _): self = .provision(try Self.user(rest[1]))
    case (2, "users", _): self = .user(try Self.user(rest[1]))
    case (3, "users", "suspend"): self = .suspend(try Self.user(rest[1]))
    case (3, "users", "resume"): self = .resume(try Self.user(rest[1]))
    case (1, "users", _): self = .users
    case (1, "pods", _): self = .pods
    case (1, "status", _): self = .status
    case (1, "health-check-all", _): self = .healthOfAll
    default: throw .notFound(path)
    }
  }

  private static func user(_ word: String) throws(AdminRefusal) -> UserName {
    let bytes: [UInt8]
    do throws(HTTPError) {
      bytes = try percentDecoded(Array(word.utf8)[...], plusIsBlank: false)
    } catch {
      throw AdminRefusal(error)
    }
    do throws(UserNameError) {
      return try UserName(validating: bytes)
    } catch {
      throw AdminRefusal(400, error.description)
    }
  }
}

/// What a request says besides its path.
private struct Options {
  let query: Query
  var body: Members

  init(query: ArraySlice<UInt8>?, body: [UInt8]) throws(AdminRefusal) {
    do throws(HTTPError) {
      self.query = try Query(query)
    } catch {
      throw AdminRefusal(error)
    }
    self.body = try Members(body)
  }

  /// `?NAME=true`; false without it.
  func flag(_ name: String) throws(AdminRefusal) -> Bool {
    switch query[name].map({ String(decoding: $0, as: UTF8.self) }) {
    case nil, "false": return false
    case "true": return true
    case .some: throw AdminRefusal(400, "\(name) is true or false")
    }
  }
}

/// The members of the body's JSON object, each of which is to be taken once; none for an empty body.
private struct Members {
  private var left: [(key: String, value: JSON)] = []

  init(_ body: [UInt8]) throws(AdminRefusal) {
    guard !body.isEmpty else { return }
    guard case .object(let members) = JSON(strictly: body) else {
      throw AdminRefusal(400, "the body is no JSON object")
    }
    left = members
  }

  private mutating func take(_ key: String) -> JSON? {
    left.firstIndex { $0.key == key }.map { left.remove(at: $0).value }
  }

  mutating func takeString(_ key: String) throws(AdminRefusal) -> String? {
    switch take(key) {
    case nil, .null: return nil
    case .string(let text) where !text.isEmpty: return text
    case .some: throw AdminRefusal(400, "\(key) is a string that is not empty")
    }
  }

  mutating func takeBool(_ key: String) throws(AdminRefusal) -> Bool? {
    switch take(key) {
    case nil, .null: return nil
    case .bool(let flag): return flag
    case .some: throw AdminRefusal(400, "\(key) is true or false")
    }
  }

  func expectEmpty() throws(AdminRefusal) {
    guard let first = left.first else { return }
    throw AdminRefusal(400, "the body has a member \(first.key.prefix(64)), which means nothing here")
  }
}
