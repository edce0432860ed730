/// How a token is signed (RFC 7518, 3.1; RFC 8037, 3.1). There is no other one, and no "none".
public enum Algorithm: String, Sendable, CaseIterable {
  case hs256 = "HS256"
  case rs256 = "RS256"
  case es256 = "ES256"
  case edDSA = "EdDSA"
}
