import HTTPWire

/// A request's token: from `Authorization`, or from one of the two places where a web page has its browser send one, a
/// cookie and the list of a WebSocket's subprotocols.
struct Credential {
  let token: ArraySlice<UInt8>
  /// The browser sent it by itself, also for a page that may not have the user's data.
  let isOfBrowser: Bool

  /// Why a request has no single token.
  enum Failure: Error {
    case none
    /// Another program that reads the request might take the other one.
    case several
  }

  /// The subprotocol that is a token begins with this.
  static let subprotocolPrefix = Array("podctl.bearer.".utf8)
  /// A client that knows no subprotocol of the program offers this one beside the token: a browser takes a WebSocket
  /// only if one of the offers was chosen.
  static let ownSubprotocol = Array("podctl".utf8)

  /// - Parameter cookieName: Of the cookie that is a token; nil if none is.
  init(of request: AuthRequest, cookieName: String?) throws(Failure) {
    var tokens: [(token: ArraySlice<UInt8>, isOfBrowser: Bool)] = []
    // Who sends another scheme there means something that is not understood here, whatever else is in the request.
    if request.authorization != nil {
      guard let bearer = request.bearer else { throw .none }
      tokens.append((bearer, false))
    }
    if let cookie = request.cookie, let cookieName {
      for pair in Self.pairs(cookie) {
        if let value = Self.value(of: cookieName, in: pair) { tokens.append((value, true)) }
      }
    }
    for offer in Self.offers(request.subprotocols) where offer.starts(with: Self.subprotocolPrefix) {
      tokens.append((offer.dropFirst(Self.subprotocolPrefix.count), true))
    }
    guard let first = tokens.first else { throw .none }
    guard tokens.count == 1 else { throw .several }
    (token, isOfBrowser) = first
  }

  // MARK: What a pod gets

  /// The field `Cookie` without tokens; nil if nothing is left of it.
  static func cookie(_ field: ArraySlice<UInt8>, without name: String?) -> [UInt8]? {
    guard let name, pairs(field).contains(where: { value(of: name, in: $0) != nil }) else {
      return Array(field)
    }
    let rest = pairs(field).filter { value(of: name, in: $0) == nil }.map(trimmed).filter { !$0.isEmpty }
    return rest.isEmpty ? nil : Array(rest.joined(separator: "; ".utf8))
  }

  /// What a client offers to speak, without tokens and without podgate's own; nil if nothing is left of it.
  static func subprotocols(_ field: ArraySlice<UInt8>?) -> [UInt8]? {
    let rest = offers(field).filter {
      !$0.starts(with: subprotocolPrefix) && !$0.elementsEqual(ownSubprotocol)
    }
    return rest.isEmpty ? nil : Array(rest.joined(separator: ", ".utf8))
  }

  static func offersOwn(_ field: ArraySlice<UInt8>?) -> Bool {
    offers(field).contains { $0.elementsEqual(ownSubprotocol) }
  }

  // MARK: Lists

  private static func offers(_ field: ArraySlice<UInt8>?) -> [ArraySlice<UInt8>] {
    (field ?? []).split(separator: UInt8(ascii: ",")).map(trimmed).filter { !$0.isEmpty }
  }

  private static func pairs(_ field: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    field.split(separator: UInt8(ascii: ";"))
  }

  /// The value, if the pair has that name. Names of cookies are compared exactly (RFC 6265).
  private static func value(of name: String, in pair: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard let equals = pair.firstIndex(of: UInt8(ascii: "=")),
      trimmed(pair[..<equals]).elementsEqual(name.utf8)
    else { return nil }
    return trimmed(pair[(equals + 1)...])
  }
}
