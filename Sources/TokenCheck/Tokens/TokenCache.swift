internal import PodModel
public import Time

/// Remembers which tokens were verified, so that a signature is computed once and not with each request.
///
/// An entry says only what the token says: what is known of the user is looked at with each request, by the caller. Times
/// are compared with the clock on each hit, another set of keys forgets everything, and only good tokens are kept. The
/// name of an entry is the SHA-256 of the token's exact bytes.
///
/// Bounded in two ways: entries move from a current to a previous generation, which is dropped at the next change; and a
/// user has few of them, so that one user with many tokens cannot push out the others.
public struct TokenCache: Sendable {
  /// The largest number in both generations together.
  public static let maximumPerUser = 16
  /// After this time generations change, so that what is not used is gone after twice as long.
  static let span = Microseconds.minutes(5)

  private var current: CompactTable<Digest, VerifiedToken>
  private var previous = CompactTable<Digest, VerifiedToken>()
  private var began = WallTime.epoch
  private var verifier: UInt64?
  private let capacity: Int
  /// How many entries of `current` are of users with the same hash: at least those of one user.
  private var counts: [UInt8]

  /// - Parameter capacity: The largest number of entries.
  public init(capacity: Int = 131_072) {
    self.capacity = max(2, capacity)
    counts = [UInt8](repeating: 0, count: self.capacity)
    current = CompactTable(room: self.capacity / 2)
  }

  public var count: Int { current.count + previous.count }
  /// How many good tokens were known.
  public private(set) var found: UInt64 = 0
  /// How many good tokens had their signatures verified.
  public private(set) var verified: UInt64 = 0

  /// What `verifier.verify` says, with less work for a token that it has seen before.
  public mutating func verify(_ token: Span<UInt8>, with verifier: TokenVerifier, now: WallTime)
    throws(TokenError) -> VerifiedToken
  {
    guard token.count <= TokenVerifier.maximumBytes else { throw .tooLong }
    if self.verifier != verifier.generation {
      let (found, verified) = (found, verified)
      self = TokenCache(capacity: capacity)
      self.verifier = verifier.generation
      (self.found, self.verified) = (found, verified)
    }
    if now < began || now - began >= Self.span { change(now) }
    let digest = Digest(of: token)
    if let known = current[digest] {
      try verifier.check(known, now: now)
      found &+= 1
      return known
    }
    let good: VerifiedToken
    if let known = previous.remove(digest) {
      try verifier.check(known, now: now)
      found &+= 1
      good = known
    } else {
      good = try verifier.verify(token, now: now)
      verified &+= 1
    }
    keep(good, as: digest, now)
    return good
  }

  private mutating func keep(_ token: VerifiedToken, as digest: Digest, _ now: WallTime) {
    if current.count >= capacity / 2 { change(now) }
    var hasher = Hasher()
    hasher.combine(token.user)
    let place = Int(truncatingIfNeeded: UInt(bitPattern: hasher.finalize()) % UInt(counts.count))
    guard counts[place] < Self.maximumPerUser / 2 else { return }
    counts[place] += 1
    current.update(digest, new: token) { $0 = token }
  }

  private mutating func change(_ now: WallTime) {
    previous = current
    current = CompactTable(room: capacity / 2)
    for place in counts.indices { counts[place] = 0 }
    began = now
  }
}
