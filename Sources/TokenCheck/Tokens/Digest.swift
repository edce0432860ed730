internal import CCrypto

/// SHA-256 of a sequence of bytes.
public struct Digest: Hashable, Sendable {
  private let words: (UInt64, UInt64, UInt64, UInt64)

  public init(of bytes: Span<UInt8>) {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    let done = bytes.withUnsafeBytes { bytes in
      withUnsafeMutableBytes(of: &words) {
        ccrypto_sha256(bytes.baseAddress, bytes.count, $0.baseAddress?.assumingMemoryBound(to: UInt8.self))
      }
    }
    precondition(done == 1, "libcrypto has no SHA-256")
    self.words = words
  }

  /// The first eight bytes, for names that need not withstand anybody who looks for two texts with one name.
  var prefix: UInt64 { words.0 }

  public static func == (left: Digest, right: Digest) -> Bool {
    left.words.0 == right.words.0 && left.words.1 == right.words.1 && left.words.2 == right.words.2
      && left.words.3 == right.words.3
  }

  /// A quarter of the digest tells entries of a table apart; equality looks at all of it.
  public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

  /// Whether both are equal, in a time that does not depend on where they differ.
  func isEqualInConstantTime(to other: Digest) -> Bool {
    withUnsafeBytes(of: words) { left in
      withUnsafeBytes(of: other.words) { ccrypto_equal(left.baseAddress, $0.baseAddress, left.count) == 1 }
    }
  }
}

/// A secret that callers must present, for example the key of the admin interface. Only its digest is kept, and the time
/// of a comparison says nothing about the secret, not even its length.
public struct ExpectedSecret: Sendable {
  private let digest: Digest

  public init(_ secret: Span<UInt8>) { digest = Digest(of: secret) }

  public func matches(_ presented: Span<UInt8>) -> Bool {
    Digest(of: presented).isEqualInConstantTime(to: digest)
  }
}
