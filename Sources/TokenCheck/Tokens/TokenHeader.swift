internal import JSONFormat

/// A token's header (RFC 7515, 4.1). Where a key could be had from (`jku`, `jwk`, `x5u`, `x5c`) is not even read: a key
/// comes from the administrator's file (RFC 8725, 3.10).
struct TokenHeader {
  let algorithm: Algorithm
  /// The name of the key, of at most some bytes, as the token has it.
  let keyID: String?

  init(_ bytes: [UInt8]) throws(TokenError) {
    guard let header = JSON(strictly: bytes), case .object = header else { throw .headerFormat }
    // An extension that must be understood (RFC 7515, 4.1.11), and a payload that is not base64url (RFC 7797).
    guard header["crit"] == nil, header["b64"] == nil else { throw .critical }
    guard case .string(let name) = header["alg"], let algorithm = Self.algorithm(name) else {
      throw .algorithm
    }
    self.algorithm = algorithm
    switch header["typ"] {
    case nil: break
    case .string(let type): guard Self.types.contains(type.lowercased()) else { throw .type }
    default: throw .type
    }
    // A token within a token.
    guard header["cty"] == nil else { throw .type }
    switch header["kid"] {
    case nil: keyID = nil
    case .string(let id): keyID = id
    default: throw .keyID
    }
  }

  /// A token for another purpose, for example a logout token, says so (RFC 8725, 3.11). RFC 9068 has the second type.
  private static let types: Set<String> = ["jwt", "at+jwt", "application/jwt", "application/at+jwt"]

  private static func algorithm(_ name: String) -> Algorithm? {
    Algorithm.allCases.first { $0.rawValue.utf8.elementsEqual(name.utf8) }
  }
}
