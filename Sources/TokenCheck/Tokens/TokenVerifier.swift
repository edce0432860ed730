public import Time

/// Decides whether a token is good: a JSON Web Token in compact form (RFC 7519, RFC 7515), read as strictly as RFC 8725
/// recommends. It keeps nothing; ``TokenCache`` remembers what was verified.
public struct TokenVerifier: Sendable {
  public let keys: KeySet
  public let issuer: String?
  public let audiences: [String]
  /// How far the issuer's clock may be off.
  public let leeway: Microseconds
  /// Differs between verifiers that may decide differently about a token whose time has come and not passed.
  let generation: UInt64

  /// The longest token; a longer one is refused before anything else of it is read.
  public static let maximumBytes = 8192

  /// - Parameter issuer: What `iss` must be; nil if it need not be there and may be anything.
  /// - Parameter audiences: `aud` must have one of these. If there are none, a token with `aud` is refused, because it was
  ///   made for somebody else (RFC 7519, 4.1.3).
  public init(keys: KeySet, issuer: String? = nil, audiences: [String] = [], leeway: Microseconds = .zero) {
    self.keys = keys
    self.issuer = issuer
    self.audiences = audiences
    self.leeway = leeway
    var content: [UInt8] = []
    withUnsafeBytes(of: keys.digest) { content += $0 }
    // Lengths, because texts alone could be divided in two ways.
    for text in [issuer ?? ""] + audiences { content += Array("\(text.utf8.count) \(text)".utf8) }
    generation = Digest(of: content.span).prefix
  }

  /// - Throws: The first reason why the token is worth nothing.
  public func verify(_ token: Span<UInt8>, now: WallTime) throws(TokenError) -> VerifiedToken {
    guard token.count <= Self.maximumBytes else { throw .tooLong }
    let (first, second) = try Self.dots(token)
    guard let headerBytes = Base64URL.decode(token.extracting(0..<first)) else { throw .headerEncoding }
    let header = try TokenHeader(headerBytes)
    let key = try keys.key(for: header)
    guard let signature = Base64URL.decode(token.extracting(second + 1..<token.count)) else {
      throw .signatureEncoding
    }
    guard key.verifies(token.extracting(0..<second), signature) else { throw .signature }
    // What follows was written by the issuer.
    guard let payload = Base64URL.decode(token.extracting(first + 1..<second)) else { throw .payloadEncoding }
    let claims = try Claims(payload, issuer: issuer, audiences: audiences)
    let verified = VerifiedToken(
      user: claims.user, expires: claims.expires, notBefore: claims.notBefore, key: key.fingerprint)
    try check(verified, now: now)
    return verified
  }

  /// Compares the token's times with the clock, which goes on while a verified token is remembered.
  public func check(_ token: VerifiedToken, now: WallTime) throws(TokenError) {
    guard now < token.expires + leeway else { throw .expired }
    guard now + leeway >= token.notBefore else { throw .notYetValid }
  }

  /// The positions of the two dots.
  private static func dots(_ token: Span<UInt8>) throws(TokenError) -> (Int, Int) {
    var dots: (Int, Int)?
    var first: Int?
    for index in token.indices where token[index] == UInt8(ascii: ".") {
      guard dots == nil else { throw .notThreeParts }
      if let first { dots = (first, index) } else { first = index }
    }
    guard let dots else { throw .notThreeParts }
    return dots
  }
}
