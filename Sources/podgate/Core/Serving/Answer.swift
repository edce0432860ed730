import Time

/// podgate's answer to one auth request. It never has a body: nginx would not use the connection again.
enum Answer: Equatable {
  /// 200: where the request goes, rendered (see ``Place``), and the fields that belong to this request.
  case admit([UInt8], AdmittedFields)
  /// 401.
  case unauthenticated(Challenge)
  /// nginx takes 403 alone for a refusal; the status that the client gets is in a field. So is the reason, which goes
  /// into a JSON string as it is.
  case refuse(status: Int, reason: String, retryAfter: Microseconds? = nil)

  /// `WWW-Authenticate` (RFC 6750, 3).
  enum Challenge: Equatable {
    case noToken
    /// With one plain sentence, without quotes.
    case invalidToken(String)
  }

  /// The whole response.
  func serialized(closes: Bool = false) -> [UInt8] {
    let end = closes ? "Connection: close\r\n\r\n" : "\r\n"
    switch self {
    case .admit(let place, let fields):
      var bytes: [UInt8] = []
      bytes.reserveCapacity(place.count + fields.count + 2)
      bytes += place
      fields.append(to: &bytes)
      bytes += "\r\n".utf8
      return bytes
    case .unauthenticated(let challenge):
      let value =
        switch challenge {
        case .noToken: #"Bearer realm="podctl""#
        case .invalidToken(let reason):
          #"Bearer realm="podctl", error="invalid_token", error_description="\#(reason)""#
        }
      return Array(
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: \(value)\r\n\(end)".utf8)
    case .refuse(let status, let reason, let retryAfter):
      // Whole seconds, rounded up: a client that comes back then is served (RFC 9110, 10.2.3).
      let retry = retryAfter.map { "X-Gate-Retry: \(max($0.roundedUp(to: .seconds(1)), 1))\r\n" } ?? ""
      return Array(
        """
        HTTP/1.1 403 Forbidden\r
        Content-Length: 0\r
        X-Gate-Status: \(status)\r
        X-Gate-Reason: \(reason)\r
        \(retry)\(end)
        """.utf8)
    }
  }
}
