internal import CCrypto

/// One key of a ``KeySet``, with the one algorithm that it may be used with (RFC 8725, 3.1).
final class Key: Sendable {
  /// What the token's header must say to mean this key. Nil: the key is for tokens that name none.
  let id: String?
  let algorithm: Algorithm
  let fingerprint: KeyFingerprint
  private let material: Material
  /// Whether the key can sign: an HMAC key can, another one if its secret part is known.
  let signs: Bool

  enum Material: ~Copyable, Sendable {
    case secret([UInt8])
    case pair(KeyPair)
  }

  /// - Parameter identity: The bytes by which the key differs from others: a secret, or a public part.
  init(
    id: String?, algorithm: Algorithm, signs: Bool, identity: [UInt8], _ material: consuming Material
  ) {
    self.id = id
    self.algorithm = algorithm
    let name = Array("\(algorithm.rawValue) \(id ?? "") ".utf8)
    fingerprint = KeyFingerprint(Digest(of: (name + identity).span))
    self.signs = signs
    self.material = material
  }

  /// Whether the signature is this key's signature of the message. Takes as long for any wrong HMAC.
  func verifies(_ message: Span<UInt8>, _ signature: [UInt8]) -> Bool {
    switch material {
    case .secret(let secret):
      let code = hmac(secret, message)
      return signature.count == code.count
        && code.withUnsafeBytes { code in
          signature.withUnsafeBytes { ccrypto_equal(code.baseAddress, $0.baseAddress, code.count) == 1 }
        }
    case .pair(let pair):
      return message.withUnsafeBytes { message in
        ccrypto_verify(
          pair.algorithm, pair.raw, message.baseAddress, message.count, signature, signature.count) == 1
      }
    }
  }

  /// The signature of a message; nil if the key cannot sign.
  func sign(_ message: [UInt8]) -> [UInt8]? {
    switch material {
    case .secret(let secret):
      return hmac(secret, message.span)
    case .pair(let pair):
      guard signs else { return nil }
      var signature = [UInt8](repeating: 0, count: Int(CCRYPTO_SIGNATURE_MAX))
      let size = ccrypto_sign(pair.algorithm, pair.raw, message, message.count, &signature)
      return size > 0 ? Array(signature[..<size]) : nil
    }
  }

  private func hmac(_ secret: [UInt8], _ message: Span<UInt8>) -> [UInt8] {
    var code = [UInt8](repeating: 0, count: Int(CCRYPTO_SHA256_SIZE))
    let done = message.withUnsafeBytes {
      ccrypto_hmac_sha256(secret, secret.count, $0.baseAddress, $0.count, &code)
    }
    precondition(done == 1, "libcrypto has no HMAC-SHA256")
    return code
  }
}

/// Which key signed a token: the same in each ``KeySet`` that has this key with this algorithm and `kid`.
public struct KeyFingerprint: Hashable, Sendable {
  private let value: UInt64

  init(_ digest: Digest) { value = digest.prefix }

  /// Reads ``text``.
  public init?(_ text: String) {
    guard let value = UInt64(text, radix: 16) else { return nil }
    self.value = value
  }

  /// Hexadecimal digits, of which nobody learns the key.
  public var text: String { String(value, radix: 16) }
}

/// An EVP_PKEY of libcrypto, freed when its owner goes out of scope.
///
/// `@unchecked`, because libcrypto changes no key after it was made (openssl-threads(7)), and nobody frees it earlier.
struct KeyPair: ~Copyable, @unchecked Sendable {
  let algorithm: ccrypto_algorithm
  let raw: OpaquePointer

  /// Nil for parameters that are no key.
  init?(_ algorithm: ccrypto_algorithm, _ raw: OpaquePointer?) {
    guard let raw else { return nil }
    self.algorithm = algorithm
    self.raw = raw
  }

  deinit {
    ccrypto_key_free(raw)
  }
}
