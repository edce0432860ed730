import PodModel
import Testing
import Time

@testable import TokenCheck

@Suite struct VerifierTests {
  @Test(arguments: Vectors.tokens) func whatOthersSignedIsVerified(token: String) throws {
    let keys = try keySet(Vectors.keySet)
    let verifier = TokenVerifier(
      keys: keys, issuer: "https://id.example.com", audiences: ["somebody", "podctl"])
    let verified = try verifier.verify(token)
    #expect(verified.user.text == "alice@example.com")
    #expect(verified.expires == wall(4_102_444_800))
    #expect(keys.holds(verified.key))
    let others = try keySet(Vectors.otherKeySet)
    #expect(!others.holds(verified.key))
    #expect(TokenVerifier(keys: others).refusal(token) == .signature)
    #expect(TokenVerifier(keys: keys).refusal(token) == .audience)
    #expect(TokenVerifier(keys: keys, issuer: "x", audiences: ["podctl"]).refusal(token) == .issuer)
    #expect(TokenVerifier(keys: keys, audiences: ["pod"]).refusal(token) == .audience)
  }

  /// RFC 7515, A.1 to A.3, and RFC 8037, A.4: they have no `sub`, so the signatures alone are compared.
  @Test(arguments: [
    (
      #"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
      "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    ),
    (
      #"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qP"#
        + "CJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kp"
        + "aSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7"
        + #"aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
      "eyJhbGciOiJSUzI1NiJ9"
        + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
      "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJ"
        + "dbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"
        + "eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq"
        + "Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    ),
    (
      #"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","#
        + #""y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
      "eyJhbGciOiJFUzI1NiJ9"
        + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
      "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    ),
    (
      #"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    ),
  ])
  func theExamplesOfTheStandardsAreVerified(key: String, message: String, signature: String) throws {
    let key = try #require(try keySet(#"{"keys":[\#(key)]}"#).keys.first)
    #expect(key.verifies(message, bytes(signature)))
    #expect(!key.verifies(message + "x", bytes(signature)))
    for position in bytes(signature).indices {
      var changed = bytes(signature)
      changed[position] ^= 1
      #expect(!key.verifies(message, changed))
    }
  }

  @Test(arguments: ["h", "r", "e", "d"]) func whatWeSignIsVerified(id: String) throws {
    let verifier = TokenVerifier(keys: try keySet(Vectors.keySet), issuer: "i", audiences: ["a", "b"])
    let user = try UserName(validating: "bob")
    let token = try verifier.sign(
      for: user, keyID: id, now: wall(today) + Microseconds(1), lifetime: .milliseconds(1500))
    let verified = try verifier.verify(token)
    #expect(verified.user == user)
    #expect(verified.expires == wall(today + 2))
    #expect(verifier.refusal(token, at: today + 2) == .expired)
    #expect(verifier.refusal(token, at: today - 1) == .notYetValid)
  }

  @Test func whatCannotBeSignedIsSaid() throws {
    let user = try UserName(validating: "bob")
    let verifier = TokenVerifier(keys: try keySet(Vectors.keySet))
    #expect(throws: SigningError.unknownKey("x")) {
      try verifier.sign(for: user, keyID: "x", now: wall(today), lifetime: .hours(1))
    }
    let key = #"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
    let published = TokenVerifier(keys: try keySet(#"{"keys":[\#(key)]}"#))
    #expect(throws: SigningError.noSecret) {
      try published.sign(for: user, now: wall(today), lifetime: .hours(1))
    }
  }

  @Test(arguments: [
    (#""exp":1767225601"#, true), (#""exp":1767225600"#, false), (#""exp":1767225600.5"#, true),
    (#""exp":1767225599.9"#, false), (#""exp":1.7672256e9"#, false), (#""exp":1.8e9"#, true),
    (#""exp":253402300799"#, true), (#""exp":1767229200,"nbf":1767225600"#, true),
    (#""exp":1767229200,"nbf":1767225601"#, false), (#""exp":1767229200,"iat":1767225600"#, true),
    (#""exp":1767229200,"iat":1767225601"#, false), (#""exp":1767229200,"nbf":0,"iat":0"#, true),
  ])
  func timesAreComparedExactly(times: String, isGood: Bool) throws {
    let keys = try keySet(Vectors.keySet)
    let token = keys.craft(goodHeader, #"{"sub":"alice",\#(times)}"#)
    #expect((TokenVerifier(keys: keys).refusal(token) == nil) == isGood)
  }

  @Test func leewayCountsInBothDirections() throws {
    let keys = try keySet(Vectors.keySet)
    let token = keys.craft(
      goodHeader, #"{"sub":"alice","nbf":\#(today),"exp":\#(today + 100)}"#)
    let verifier = TokenVerifier(keys: keys, leeway: .seconds(5))
    #expect(verifier.refusal(token, at: today - 6) == .notYetValid)
    #expect(verifier.refusal(token, at: today - 5) == nil)
    #expect(verifier.refusal(token, at: today + 104) == nil)
    #expect(verifier.refusal(token, at: today + 105) == .expired)
  }

  @Test(arguments: [
    #"{"alg":"HS256","kid":"h","typ":"JWT"}"#, #"{"alg":"HS256","kid":"h","typ":"application/AT+jwt"}"#,
    #"{"kid":"\u0068","\u0061lg":"HS256"}"#, #" { "alg" : "HS256" , "kid" : "h", "x5t": [1, {"a": null}] } "#,
    #"{"alg":"HS256","kid":"h","jku":"https://evil.example.com/","jwk":{"kty":"oct","k":"AAAA"}}"#,
  ])
  func headersThatSayNothingElseAreGood(header: String) throws {
    let keys = try keySet(Vectors.keySet)
    #expect(TokenVerifier(keys: keys).refusal(keys.craft(header, goodPayload)) == nil)
  }

  @Test(arguments: [
    (#""pod""#, true), (#"["x","pod"]"#, true), (#"["pod"]"#, true), ("[]", false), (#""Pod""#, false),
    (#"["x"]"#, false), (#"["pod",7]"#, false), ("7", false), ("null", false), (#"{"pod":1}"#, false),
    (#"[["pod"]]"#, false), (#""p\u006fd""#, true), (#""""#, false),
  ])
  func audienceIsOneOfOurs(audience: String, isGood: Bool) throws {
    let keys = try keySet(Vectors.keySet)
    let token = keys.craft(goodHeader, #"{"sub":"alice","exp":1767229200,"aud":\#(audience)}"#)
    #expect(
      TokenVerifier(keys: keys, audiences: ["pod"]).refusal(token) == (isGood ? nil : .audience))
    #expect(TokenVerifier(keys: keys).refusal(token) == .audience, "nobody is meant here")
  }

  /// U+212A is a sign for kelvin, which Swift's `==` calls equal to the letter.
  @Test func issuerIsComparedByteForByte() throws {
    let keys = try keySet(Vectors.keySet)
    let verifier = TokenVerifier(keys: keys, issuer: "K")
    for (issuer, isGood) in [(#""K""#, true), (#""\u212a""#, false), (#""k""#, false), (#"["K"]"#, false)] {
      let token = keys.craft(goodHeader, #"{"sub":"alice","exp":1767229200,"iss":\#(issuer)}"#)
      #expect((verifier.refusal(token) == nil) == isGood)
    }
    #expect(verifier.refusal(keys.craft(goodHeader, goodPayload)) == .issuer)
  }

  @Test func aTokenWithoutAKeysNameNeedsAKeyWithoutAName() throws {
    let key = { (id: String) in
      #"{"kty":"oct","k":"\#(base64URL([UInt8](repeating: 7, count: 32)))"\#(id)}"#
    }
    let unnamed = try keySet(#"{"keys":[\#(key(""))]}"#)
    let named = try keySet(#"{"keys":[\#(key(#","kid":"a""#))]}"#)
    let without = unnamed.craft(#"{"alg":"HS256"}"#, goodPayload)
    let with = unnamed.craft(#"{"alg":"HS256","kid":"a"}"#, goodPayload)
    #expect(TokenVerifier(keys: unnamed).refusal(without) == nil)
    #expect(TokenVerifier(keys: unnamed).refusal(with) == .unknownKey)
    #expect(TokenVerifier(keys: named).refusal(without) == .unnamedKey)
    #expect(TokenVerifier(keys: named).refusal(with) == nil)
  }
}
