internal import JSONFormat
public import PodModel
public import Time

/// Why no token can be signed.
public enum SigningError: Error, Equatable, Sendable, CustomStringConvertible {
  /// No key of the set has this `kid`.
  case unknownKey(String)
  /// The set has only public parts; the issuer keeps the secret ones.
  case noSecret

  public var description: String {
    switch self {
    case .unknownKey(let id): "no key has the kid \"\(id)\""
    case .noSecret: "the file has only public keys; a token is signed where the secret key is kept"
    }
  }
}

extension TokenVerifier {
  /// A token for a user that this verifier accepts, with its issuer and its first audience.
  /// - Parameter keyID: The key's `kid`; without it the first key that can sign.
  /// - Parameter lifetime: From now until `exp`, in whole seconds, rounded up.
  public func sign(for user: UserName, keyID: String? = nil, now: WallTime, lifetime: Microseconds)
    throws(SigningError) -> String
  {
    let candidates = keys.keys.filter { keyID == nil || $0.id == keyID }
    if let keyID, candidates.isEmpty { throw .unknownKey(keyID) }
    guard let key = candidates.first(where: \.signs) else { throw .noSecret }
    var header: [(key: String, value: JSON)] = [
      ("alg", .string(key.algorithm.rawValue)), ("typ", .string("JWT")),
    ]
    if let id = key.id { header.append(("kid", .string(id))) }
    let issued = now.sinceEpoch / .seconds(1)
    var claims: [(key: String, value: JSON)] = [
      ("sub", .string(user.text)), ("iat", .uint(issued)),
      ("exp", .uint(issued + lifetime.roundedUp(to: .seconds(1)))),
    ]
    if let issuer { claims.append(("iss", .string(issuer))) }
    if let audience = audiences.first { claims.append(("aud", .string(audience))) }
    let message = [header, claims].map { Base64URL.encode(Array(JSON.object($0).text.utf8)) }
      .joined(separator: [UInt8(ascii: ".")])
    guard let signature = key.sign(Array(message)) else { throw .noSecret }
    return String(decoding: Array(message) + [UInt8(ascii: ".")] + Base64URL.encode(signature), as: UTF8.self)
  }
}
