internal import JSONFormat
internal import PodModel
internal import Time

/// A token's claims (RFC 7519, 4.1), checked except for what depends on the clock.
struct Claims {
  let user: UserName
  let expires: WallTime
  /// The later one of `nbf` and `iat`: a token from the future was made by a clock that is wrong, or by hand.
  let notBefore: WallTime

  /// - Parameter issuer: What `iss` must be; nil if any will do.
  /// - Parameter audiences: `aud` must have one of them. If there are none, every `aud` means somebody else.
  init(_ bytes: [UInt8], issuer: String?, audiences: [String]) throws(TokenError) {
    guard let claims = JSON(strictly: bytes), case .object = claims else { throw .payloadFormat }
    guard let expires = try Self.time(claims["exp"]) else { throw .time }
    self.expires = expires
    notBefore = max(try Self.time(claims["nbf"]) ?? .epoch, try Self.time(claims["iat"]) ?? .epoch)
    guard Self.isMeant(issuer: claims["iss"], issuer) else { throw .issuer }
    guard Self.isMeant(audience: claims["aud"], audiences) else { throw .audience }
    guard case .string(let name)? = claims["sub"], let user = try? UserName(validating: name) else {
      throw .subject
    }
    self.user = user
  }

  /// A NumericDate, which may have a fraction (RFC 7519, 2). One beyond the year 9999 is no date but a mistake, or an
  /// attempt at a token that never ends.
  private static func time(_ claim: JSON?) throws(TokenError) -> WallTime? {
    let end: UInt64 = 253_402_300_800
    switch claim {
    case nil: return nil
    case .uint(let seconds)? where seconds < end: return WallTime(sinceEpoch: .seconds(seconds))
    case .double(let seconds)? where seconds >= 0 && seconds < Double(end):
      return WallTime(sinceEpoch: Microseconds(seconds: seconds))
    default: throw .time
    }
  }

  private static func isMeant(issuer claim: JSON?, _ expected: String?) -> Bool {
    switch claim {
    case nil: expected == nil
    case .string(let issuer)?: expected.map { isSame($0, issuer) } ?? true
    default: false
    }
  }

  /// RFC 7519, 4.1.3: one string, or a list of strings, of which one must be ours.
  private static func isMeant(audience claim: JSON?, _ expected: [String]) -> Bool {
    switch claim {
    case nil: return expected.isEmpty
    case .string(let audience)?: return expected.contains { isSame($0, audience) }
    case .array(let items)?:
      var isMeant = false
      for item in items {
        guard case .string(let audience) = item else { return false }
        isMeant = isMeant || expected.contains { isSame($0, audience) }
      }
      return isMeant
    default: return false
    }
  }

  /// Byte for byte (RFC 7519, 7.3): Swift's `==` also calls strings equal that Unicode calls equivalent.
  private static func isSame(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }
}
