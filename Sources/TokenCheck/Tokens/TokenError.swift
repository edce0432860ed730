/// Why a token is refused. The text never has a part of the token, so it may be logged.
public enum TokenError: String, Error, Sendable, CaseIterable, CustomStringConvertible {
  case tooLong = "the token is longer than 8192 bytes"
  case notThreeParts = "the token is not HEADER.PAYLOAD.SIGNATURE"
  case headerEncoding = "the header is not base64url without padding"
  case headerFormat = "the header is not a JSON object, or has a member twice"
  case algorithm = "the header's alg is none of HS256, RS256, ES256, EdDSA"
  case type = "the header's typ or cty is not that of an access token"
  case critical = "the header has crit or b64, which are not understood"
  case keyID = "the header's kid is not a string"
  case unknownKey = "no key has the header's kid"
  case unnamedKey = "the header has no kid, and every key of this algorithm has one"
  case algorithmOfAnotherKey = "the header's alg is not that of the key"
  case signatureEncoding = "the signature is not base64url without padding"
  case signature = "the signature is wrong"
  case payloadEncoding = "the payload is not base64url without padding"
  case payloadFormat = "the payload is not a JSON object, or has a member twice"
  case time = "exp is missing, or exp, nbf or iat is not a number of seconds before the year 10000"
  case expired = "the token has expired"
  case notYetValid = "the token is not valid yet"
  case issuer = "iss is not the expected issuer"
  case audience = "aud does not have the expected audience"
  case subject = "sub is not a user name"

  public var description: String { rawValue }
}
