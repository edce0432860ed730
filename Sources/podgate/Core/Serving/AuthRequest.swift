import HTTPWire
import PodModel

/// What nginx says about a client's request, in the fields of its auth request (front.conf).
struct AuthRequest {
  /// `Authorization`, as the client sent it.
  let authorization: ArraySlice<UInt8>?
  /// `Cookie`; if there were several of them, joined by nginx.
  let cookie: ArraySlice<UInt8>?
  /// `Sec-WebSocket-Protocol`.
  let subprotocols: ArraySlice<UInt8>?
  let origin: ArraySlice<UInt8>?
  /// `Sec-Fetch-Site`.
  let site: ArraySlice<UInt8>?
  /// `Host`.
  let host: ArraySlice<UInt8>?
  /// Where each user has a host name: the pattern of these names, `*.DOMAIN`, and the name that was asked, in lower case.
  let userHost: (pattern: ArraySlice<UInt8>, name: ArraySlice<UInt8>)?
  let method: ArraySlice<UInt8>
  /// The request's target, as the client sent it.
  let target: ArraySlice<UInt8>
  /// The length of the body in bytes; nil if the client did not say.
  let bodyLength: UInt64?
  /// The client's end of its connection, `ADDRESS:PORT`.
  let peer: String
  /// Whether the response may last long: a WebSocket, or server-sent events.
  let isStream: Bool

  /// - Throws: 400 for a field that nginx does not send in this way.
  init(_ head: RequestHead) throws(HTTPError) {
    authorization = try head.value(of: "authorization")
    cookie = try head.value(of: "cookie")
    subprotocols = try head.value(of: "x-subprotocols")
    origin = try head.value(of: "origin")
    site = try head.value(of: "x-site")
    host = try head.value(of: "x-host")
    if let words = try head.value(of: "x-user-host")?.split(separator: 0x20, omittingEmptySubsequences: false)
    {
      guard words.count == 2 else { throw HTTPError(400, "X-User-Host is not two words.") }
      userHost = (words[0], words[1])
    } else {
      userHost = nil
    }
    guard let method = try head.value(of: "x-method"), let target = try head.value(of: "x-uri") else {
      throw HTTPError(400, "X-Method or X-Uri is missing.")
    }
    self.method = method
    self.target = target
    if let length = try head.value(of: "x-length") {
      guard let bytes = UInt64(String(decoding: length, as: UTF8.self)) else {
        throw HTTPError(400, "X-Length is not a number.")
      }
      bodyLength = bytes
    } else {
      bodyLength = nil
    }
    peer = String(decoding: try head.value(of: "x-peer") ?? [], as: UTF8.self)
    isStream = try head.value(of: "x-stream") != nil
  }

  /// Whether the request may be `user`'s, by the host that was asked: anybody's, where hosts have no users.
  func isAtHost(of user: UserName, _ userOfHost: UserOfHost) -> Bool {
    guard let (pattern, name) = userHost else { return true }
    let domain = pattern.dropFirst()
    guard pattern.first == UInt8(ascii: "*"), domain.first == UInt8(ascii: "."), name.count > domain.count,
      name.suffix(domain.count).elementsEqual(domain)
    else { return false }
    return userOfHost.user(of: name.dropLast(domain.count)) == user
  }

  /// The token of `Authorization: Bearer TOKEN` (RFC 6750, 2.1). The scheme's case does not matter (RFC 9110, 11.1).
  var bearer: ArraySlice<UInt8>? {
    guard let authorization else { return nil }
    let scheme = "bearer "
    guard authorization.count > scheme.utf8.count,
      zip(authorization, scheme.utf8).allSatisfy({ byte, wanted in
        byte == wanted || (byte | 0x20 == wanted && wanted != UInt8(ascii: " "))
      })
    else { return nil }
    return authorization.dropFirst(scheme.utf8.count)
  }

  /// Whether the request is meant to store something. Programs may store on GET too; only they know.
  var writes: Bool {
    ["POST", "PUT", "PATCH"].contains { method.elementsEqual($0.utf8) }
  }
}
