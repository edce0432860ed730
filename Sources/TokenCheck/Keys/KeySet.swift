/// The keys that tokens may be signed with: a JWK Set (RFC 7517) with HMAC, RSA, P-256 and Ed25519 keys.
///
/// A token that names a key (`kid`) is checked with that key alone, and a token that names none only with a key that has
/// no name. So there is no default key, and which key decides does not depend on the order in the file.
public struct KeySet: Sendable {
  let keys: [Key]
  /// The digest of the file's bytes.
  let digest: Digest
  /// What an administrator should know of keys in the file that are not used, one sentence each.
  public let notes: [String]

  /// Keys in one file. A set is searched from the start, and an identity provider publishes a handful.
  public static let maximumKeys = 64

  /// The names of the keys in use, with their algorithms, in the order of the file.
  public var names: [(id: String?, algorithm: Algorithm)] { keys.map { ($0.id, $0.algorithm) } }

  /// Whether the set still has the key that signed a token.
  public func holds(_ key: KeyFingerprint) -> Bool { keys.contains { $0.fingerprint == key } }

  init(keys: [Key], digest: Digest, notes: [String]) {
    self.keys = keys
    self.digest = digest
    self.notes = notes
  }

  /// The only key that may verify a token with this header.
  func key(for header: TokenHeader) throws(TokenError) -> Key {
    guard let id = header.keyID else {
      guard let key = keys.first(where: { $0.id == nil && $0.algorithm == header.algorithm }) else {
        throw .unnamedKey
      }
      return key
    }
    guard let key = keys.first(where: { $0.id.map { $0.utf8.elementsEqual(id.utf8) } ?? false }) else {
      throw .unknownKey
    }
    guard key.algorithm == header.algorithm else { throw .algorithmOfAnotherKey }
    return key
  }
}
