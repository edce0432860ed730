/// What an admission says of this request alone: its ticket, and what the pod gets of the client's own fields in which a
/// token may have come.
struct AdmittedFields: Equatable {
  var ticket: Ticket?
  var cookie: [UInt8]?
  /// What the pod's program may choose of the subprotocols that the client offers.
  var subprotocols: [UInt8]?
  /// nginx chooses podgate's own subprotocol, if the program chooses none.
  var choosesOwn = false

  /// nginx has 16 KiB for an answer's head (`proxy_buffer_size` in front.conf), in which the user's place is, too.
  static let most = 12_288

  /// A request that has none.
  init() {}

  /// Nil if there is too much of it.
  init?(_ request: AuthRequest, cookieName: String?) {
    guard request.cookie != nil || request.subprotocols != nil else { return }
    cookie = request.cookie.flatMap { Credential.cookie($0, without: cookieName) }
    subprotocols = Credential.subprotocols(request.subprotocols)
    choosesOwn = Credential.offersOwn(request.subprotocols)
    guard (cookie?.count ?? 0) + (subprotocols?.count ?? 0) <= Self.most else { return nil }
  }

  /// At least as many bytes as ``append(to:)`` needs.
  var count: Int { (cookie?.count ?? 0) + (subprotocols?.count ?? 0) + 160 }

  func append(to bytes: inout [UInt8]) {
    if let ticket {
      bytes += "X-Ticket: ".utf8
      ticket.append(to: &bytes)
      bytes += "\r\n".utf8
    }
    if let cookie {
      bytes += Array("X-Cookie: ".utf8) + cookie + Array("\r\n".utf8)
    }
    if let subprotocols {
      bytes += Array("X-Subprotocols: ".utf8) + subprotocols + Array("\r\n".utf8)
    }
    if choosesOwn { bytes += Array("X-Subprotocol: podctl\r\n".utf8) }
  }
}
