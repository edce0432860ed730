public import PodModel
public import Time

/// What a token says, after its signature and everything else in it was checked.
public struct VerifiedToken: Equatable, Sendable {
  /// `sub`, lower-cased.
  public let user: UserName
  /// `exp`. From then on, and the leeway, the token is worth nothing.
  public let expires: WallTime
  /// The later one of `nbf` and `iat`; the epoch if there are none.
  public let notBefore: WallTime
  /// The key that signed it.
  public let key: KeyFingerprint
}
