/// Why a request cannot be served: the status to answer with, and a sentence for the client.
public struct HTTPError: Error, Equatable, Sendable {
  /// A status of RFC 9110, 400–599.
  public let status: Int
  /// One plain sentence without a line break; it may be shown to the client.
  public let reason: String

  public init(_ status: Int, _ reason: String) {
    self.status = status
    self.reason = reason
  }
}

/// The phrase that RFC 9110 gives a status; "Unknown" for one that this server never sends.
public func reasonPhrase(_ status: Int) -> String {
  switch status {
  case 200: "OK"
  case 400: "Bad Request"
  case 401: "Unauthorized"
  case 403: "Forbidden"
  case 404: "Not Found"
  case 405: "Method Not Allowed"
  case 408: "Request Timeout"
  case 409: "Conflict"
  case 411: "Length Required"
  case 413: "Content Too Large"
  case 414: "URI Too Long"
  case 417: "Expectation Failed"
  case 431: "Request Header Fields Too Large"
  case 500: "Internal Server Error"
  case 501: "Not Implemented"
  case 503: "Service Unavailable"
  case 505: "HTTP Version Not Supported"
  case 507: "Insufficient Storage"
  default: "Unknown"
  }
}
