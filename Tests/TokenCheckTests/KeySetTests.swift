import Testing

@testable import TokenCheck

private func secret(_ size: Int) -> String { base64URL([UInt8](repeating: 7, count: size)) }
private func oct(_ more: String = "", size: Int = 32) -> String {
  #"{"kty":"oct","k":"\#(secret(size))"\#(more)}"#
}
private let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
private let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
private let edwards = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
/// 2048 bits, of which no factor is needed to make a public key.
private let modulus = base64URL([0x80] + [UInt8](repeating: 1, count: 255))

@Suite struct KeySetTests {
  @Test func namesAndAlgorithmsAreTheFiles() throws {
    let keys = try keySet(Vectors.keySet)
    #expect(keys.names.map(\.id) == ["h", "r", "e", "d"])
    #expect(keys.names.map(\.algorithm) == [.hs256, .rs256, .es256, .edDSA])
    #expect(keys.notes.isEmpty)
  }

  @Test(arguments: [
    ("", "keys.json: not JSON"),
    ("{}", "keys.json: not a JWK Set"),
    (#"{"keys":{}}"#, "keys.json: not a JWK Set"),
    (#"[{"kty":"oct"}]"#, "keys.json: not a JWK Set"),
    (#"{"keys":[],"keys":[]}"#, "keys.json: not JSON, or an object in it has a member twice"),
    (#"{"keys":[]}"#, "keys.json: no key that can verify a token"),
    (#"{"keys":[7]}"#, "keys.json: key 1: not a JSON object"),
    (#"{"keys":[{}]}"#, "keys.json: key 1: no kty"),
    (#"{"keys":[\#(oct()),\#(oct())]}"#, "keys.json: key 2: a second HS256 key without a kid"),
    (
      #"{"keys":[\#(oct(#","kid":"a""#)),\#(oct(#","kid":"a""#))]}"#,
      #"keys.json: key 2 (kid "a"): an earlier key has the same kid"#
    ),
    (#"{"keys":[\#(oct(size: 31))]}"#, "keys.json: key 1: an HMAC key of 31 bytes; at least 32 are needed"),
    (#"{"keys":[{"kty":"oct","kid":"a","k":""}]}"#, #"keys.json: key 1 (kid "a"): k is not base64url"#),
    (#"{"keys":[{"kty":"oct"}]}"#, "keys.json: key 1: no k"),
    (#"{"keys":[{"kty":"oct","k":"\#(secret(32))="}]}"#, "keys.json: key 1: k is not base64url"),
    (#"{"keys":[{"kty":"oct","k":7}]}"#, "keys.json: key 1: k must be a string"),
    (#"{"keys":[\#(oct(#","kid":"""#))]}"#, "keys.json: key 1: kid must be 1 to 128 printable"),
    (#"{"keys":[\#(oct(#","kid":"a\n""#))]}"#, "keys.json: key 1: kid must be 1 to 128 printable"),
    (#"{"keys":[\#(oct(#","kid":1"#))]}"#, "keys.json: key 1: kid must be 1 to 128 printable"),
    (#"{"keys":[\#(oct(#","alg":"RS256""#))]}"#, "keys.json: key 1: alg is RS256, but the key is for HS256"),
    (#"{"keys":[\#(oct(#","key_ops":"verify""#))]}"#, "keys.json: key 1: key_ops must be a list"),
    (
      #"{"keys":[{"kty":"RSA","alg":"HS256","n":"\#(modulus)","e":"AQAB"}]}"#,
      "keys.json: key 1: alg is HS256, but the key is for RS256"
    ),
    (#"{"keys":[\#(Vectors.weakRSA)]}"#, #"keys.json: key 1 (kid "w"): an RSA key of 2040 bits"#),
    (#"{"keys":[{"kty":"RSA","n":"\#(modulus)"}]}"#, "keys.json: key 1: no e"),
    (#"{"keys":[{"kty":"RSA","n":"\#(modulus)","e":"AQ"}]}"#, "keys.json: key 1: an RSA exponent"),
    (#"{"keys":[{"kty":"RSA","n":"\#(modulus)","e":"Aw"}]}"#, "keys.json: key 1: an RSA exponent"),
    (#"{"keys":[{"kty":"RSA","n":"\#(modulus)","e":"AQAA"}]}"#, "keys.json: key 1: an RSA exponent"),
    (
      #"{"keys":[{"kty":"RSA","n":"AA\#(modulus)","e":"AQAB"}]}"#,
      "keys.json: key 1: n and e must have no leading zero byte"
    ),
    (
      #"{"keys":[{"kty":"RSA","n":"\#(base64URL([UInt8](repeating: 255, count: 1025)))","e":"AQAB"}]}"#,
      "keys.json: key 1: an RSA key of 8200 bits"
    ),
    (
      #"{"keys":[{"kty":"RSA","n":"\#(modulus)","e":"AQAB","d":"\#(secret(256))"}]}"#,
      "keys.json: key 1: its secret part (d) does not belong"
    ),
    (
      #"{"keys":[{"kty":"EC","crv":"P-256","x":"\#(x)","y":"\#(x)"}]}"#,
      "keys.json: key 1: x and y are no point"
    ),
    (
      #"{"keys":[{"kty":"EC","crv":"P-256","x":"\#(x)","y":"AAAA"}]}"#,
      "keys.json: key 1: x, y and d of a P-256"
    ),
    (
      #"{"keys":[{"kty":"EC","crv":"P-256","x":"\#(x)","y":"\#(y)","d":"\#(secret(32))"}]}"#,
      "keys.json: key 1: its secret part (d) does not belong"
    ),
    (#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA"}]}"#, "keys.json: key 1: x and d of an Ed25519 key"),
    (
      #"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"\#(edwards)","d":"\#(secret(32))"}]}"#,
      "keys.json: key 1: its secret part (d) does not belong"
    ),
    (
      #"{"keys":[\#(Array(repeating: oct(), count: 65).joined(separator: ","))]}"#,
      "keys.json: 65 keys; at most 64"
    ),
  ])
  func mistakesAreNamed(text: String, message: String) {
    do throws(KeySetError) {
      _ = try keySet(text)
      Issue.record("accepted")
    } catch {
      #expect(error.description.hasPrefix(message))
      #expect(!error.description.contains(secret(32)), "it repeats the key")
    }
  }

  @Test func keysForOthersAreLeftOutAndNamed() throws {
    let others = [
      oct(#","kid":"1","use":"enc""#), oct(#","kid":"2","key_ops":["encrypt"]"#),
      oct(#","kid":"3","alg":"HS512""#),
      #"{"kty":"EC","kid":"4","crv":"P-384","x":"AAAA","y":"AAAA"}"#,
      #"{"kty":"OKP","kid":"5","crv":"X25519"}"#,
      #"{"kty":"RSA","kid":"6","alg":"RSA-OAEP","n":"AQAB","e":"AQAB"}"#, #"{"kty":"AKP","kid":"7"}"#,
    ]
    let text = others.joined(separator: ",")
    let keys = try keySet(#"{"keys":[\#(text),\#(oct(#","kid":"8","use":"sig","key_ops":["verify"]"#))]}"#)
    #expect(keys.names.map(\.id) == ["8"])
    #expect(keys.notes.count == 7)
    for (index, note) in keys.notes.enumerated() {
      #expect(note.hasPrefix(#"keys.json: key \#(index + 1) (kid "\#(index + 1)"): not used, because "#))
    }
    #expect(throws: KeySetError.self) { try keySet(#"{"keys":[\#(text)]}"#) }
  }

  /// A public key that was sent twice, once with its secret part, is the same key.
  @Test func fingerprintsDoNotDependOnTheSecretPart() throws {
    let whole = try keySet(Vectors.keySet)
    let text = Vectors.keySet.replacing(#/, "d": "[^"]*"/#, with: "")
    let published = try keySet(text)
    #expect(whole.keys.map(\.fingerprint) == published.keys.map(\.fingerprint))
    #expect(Set(whole.keys.map(\.fingerprint)).count == 4)
    #expect(published.keys.map(\.signs) == [true, false, false, false])
  }
}

@Suite struct Base64URLTests {
  @Test func everyLengthHasOneSpelling() {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= \n".utf8)
    for size in 0...70 {
      let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ size) }
      let text = Base64URL.encode(content)
      #expect(Base64URL.decode(text) == content)
      guard let last = text.last else { continue }
      var same = 0
      for character in alphabet where Base64URL.decode(text.dropLast() + [character]) == content {
        same += 1
        #expect(character == last)
      }
      #expect(same == 1)
      for character in Array("=+/ \n\0é".utf8) {
        #expect(Base64URL.decode(text + [character]) == nil)
        #expect(Base64URL.decode(text.dropLast() + [character]) == nil)
        #expect(Base64URL.decode([character] + text) == nil)
      }
    }
  }
}

@Suite struct DigestTests {
  @Test func digestIsSHA256() {
    // FIPS 180-2, B.1.
    let expected: [UInt8] = [
      0xBA, 0x78, 0x16, 0xBF, 0x8F, 0x01, 0xCF, 0xEA, 0x41, 0x41, 0x40, 0xDE, 0x5D, 0xAE, 0x22, 0x23, 0xB0,
      0x03, 0x61, 0xA3, 0x96, 0x17, 0x7A, 0x9C, 0xB4, 0x10, 0xFF, 0x61, 0xF2, 0x00, 0x15, 0xAD,
    ]
    withUnsafeBytes(of: Digest(of: Array("abc".utf8).span)) { #expect(Array($0) == expected) }
  }

  @Test func aSecretMatchesItselfAlone() {
    let secret = ExpectedSecret(Array("correct horse".utf8).span)
    #expect(secret.matches("correct horse"))
    for other in ["", "correct hors", "correct horse ", "correct hOrse", "Xorrect horse"] {
      #expect(!secret.matches(other))
    }
  }
}
