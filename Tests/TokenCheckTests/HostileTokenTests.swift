import Testing
import Time

@testable import TokenCheck

/// A token that must be refused, and why.
struct Hostile: Sendable, CustomTestStringConvertible {
  let name: String
  let token: String
  let reason: TokenError
  var testDescription: String { name }
}

private let good = (try? keySet(Vectors.keySet).craft(goodHeader, goodPayload)) ?? ""

private func hostile() throws -> [Hostile] {
  let keys = try keySet(Vectors.keySet)
  let parts = good.split(separator: ".").map(String.init)
  let (header, payload, signature) = (parts[0], parts[1], parts[2])
  var table: [Hostile] = []
  func add(_ name: String, _ token: String, _ reason: TokenError) {
    table.append(Hostile(name: name, token: token, reason: reason))
  }
  func head(_ name: String, _ text: String, _ reason: TokenError, by id: String = "h") {
    add(name, keys.craft(text, goodPayload, by: id), reason)
  }
  func claims(_ name: String, _ text: String, _ reason: TokenError) {
    add(name, keys.craft(goodHeader, text), reason)
  }

  // One spelling.
  add("padding after the signature", good + "=", .signatureEncoding)
  add("padding after the payload", keys.craft(parts: header, payload + "=="), .payloadEncoding)
  add("padding after the header", keys.craft(parts: header + "=", payload), .headerEncoding)
  add("a bit in the signature's last character that stands for nothing", nextLast(good), .signatureEncoding)
  add(
    "the other alphabet",
    keys.craft(
      parts: header, base64URL(#"{"sub":"a","exp":1767229200,"x":"????????"}"#).replacing("_", with: "/")),
    .payloadEncoding)
  add("a blank before it", " " + good, .headerEncoding)
  add("a blank after it", good + " ", .signatureEncoding)
  add("a line end after it", good + "\n", .signatureEncoding)
  add("a NUL after it", good + "\0", .signatureEncoding)
  add("Bearer before it", "Bearer " + good, .headerEncoding)
  add("empty", "", .notThreeParts)
  add("one part", header, .notThreeParts)
  add("two parts", header + "." + payload, .notThreeParts)
  add("four parts", good + ".", .notThreeParts)
  add("an encrypted token", good + ".AAAA.AAAA", .notThreeParts)
  add("dots alone", "..", .headerFormat)
  add("no payload", keys.craft(goodHeader, ""), .payloadFormat)
  add("no signature", header + "." + payload + ".", .signature)
  add("16 kB", good + String(repeating: "A", count: 16_384), .tooLong)
  add("one byte too long", good + String(repeating: "A", count: 8193 - good.utf8.count), .tooLong)
  add("JSON instead of the compact form", #"{"payload":"e30","signatures":[]}"#, .notThreeParts)

  // The algorithm belongs to the key.
  head("alg none", #"{"alg":"none","kid":"h"}"#, .algorithm)
  add("alg none without a signature", base64URL(#"{"alg":"none"}"#) + "." + payload + ".", .algorithm)
  head("alg NONE", #"{"alg":"NONE","kid":"h"}"#, .algorithm)
  head("alg HS512", #"{"alg":"HS512","kid":"h"}"#, .algorithm)
  head("alg hs256", #"{"alg":"hs256","kid":"h"}"#, .algorithm)
  head("alg PS256", #"{"alg":"PS256","kid":"r"}"#, .algorithm, by: "r")
  head("no alg", #"{"kid":"h"}"#, .algorithm)
  head("alg is a list", #"{"alg":["HS256"],"kid":"h"}"#, .algorithm)
  head("alg null", #"{"alg":null,"kid":"h"}"#, .algorithm)
  head("alg twice", #"{"alg":"none","alg":"HS256","kid":"h"}"#, .headerFormat)
  head("alg twice, once escaped", #"{"alg":"HS256","\u0061lg":"HS256","kid":"h"}"#, .headerFormat)
  head("RS256 with the HMAC key", #"{"alg":"RS256","kid":"h"}"#, .algorithmOfAnotherKey)
  head("ES256 with the RSA key", #"{"alg":"ES256","kid":"r"}"#, .algorithmOfAnotherKey, by: "r")
  add("HS256 with the RSA key's modulus as secret", confused(keys), .algorithmOfAnotherKey)

  // The key.
  head("another key's kid", #"{"alg":"ES256","kid":"e"}"#, .signature)
  head("unknown kid", #"{"alg":"HS256","kid":"x"}"#, .unknownKey)
  head("kid of another case", #"{"alg":"HS256","kid":"H"}"#, .unknownKey)
  head("no kid", #"{"alg":"HS256"}"#, .unnamedKey)
  head("empty kid", #"{"alg":"HS256","kid":""}"#, .unknownKey)
  head("kid null", #"{"alg":"HS256","kid":null}"#, .keyID)
  head("kid a number", #"{"alg":"HS256","kid":1}"#, .keyID)
  head("kid twice", #"{"alg":"HS256","kid":"h","kid":"h"}"#, .headerFormat)
  head("kid a path", #"{"alg":"HS256","kid":"../../dev/null"}"#, .unknownKey)
  add("a key of its own", ownKey(), .signature)

  // The header.
  head("crit", #"{"alg":"HS256","kid":"h","crit":["exp"]}"#, .critical)
  head("crit empty", #"{"alg":"HS256","kid":"h","crit":[]}"#, .critical)
  head("b64 false", #"{"alg":"HS256","kid":"h","b64":false}"#, .critical)
  head("b64 false, critical", #"{"alg":"HS256","kid":"h","b64":false,"crit":["b64"]}"#, .critical)
  head("a logout token", #"{"alg":"HS256","kid":"h","typ":"logout+jwt"}"#, .type)
  head("a token within", #"{"alg":"HS256","kid":"h","cty":"JWT"}"#, .type)
  head("typ a number", #"{"alg":"HS256","kid":"h","typ":1}"#, .type)
  head("header no object", #"["HS256"]"#, .headerFormat)
  head("header no JSON", "HS256", .headerFormat)
  head("two values in the header", goodHeader + "{}", .headerFormat)
  head("an unknown member twice", #"{"alg":"HS256","kid":"h","x":1,"x":1}"#, .headerFormat)
  head("a member twice inside", #"{"alg":"HS256","kid":"h","x":{"y":1,"y":1}}"#, .headerFormat)
  head("a comment", #"{"alg":"HS256",/**/"kid":"h"}"#, .headerFormat)
  add(
    "nested 1,000 deep",
    keys.craft(#"{"alg":"HS256","kid":"h","x":"# + String(repeating: "[", count: 1000), ""),
    .headerFormat)
  add(
    "header not UTF-8",
    keys.craft(
      parts: base64URL(Array(#"{"alg":"HS256","kid":"h","x":""#.utf8) + [0xFF] + Array(#""}"#.utf8)), payload),
    .headerFormat)
  add(
    "a byte order mark", keys.craft(parts: base64URL([0xEF, 0xBB, 0xBF] + Array(goodHeader.utf8)), payload),
    .headerFormat)

  // The signature.
  add(
    "another payload", header + "." + base64URL(#"{"sub":"bob","exp":1767229200}"#) + "." + signature,
    .signature)
  add("half of the signature", header + "." + payload + "." + signature.prefix(22) + "A", .signature)
  add(
    "31 bytes of it", header + "." + payload + "." + base64URL(Array(bytes(signature).dropLast())), .signature
  )
  add("33 bytes", header + "." + payload + "." + base64URL(bytes(signature) + [0]), .signature)
  add("zeros", header + "." + payload + "." + base64URL([UInt8](repeating: 0, count: 32)), .signature)
  for (id, alg, size) in [("e", "ES256", 64), ("d", "EdDSA", 64), ("r", "RS256", 256)] {
    let message = base64URL(#"{"alg":"\#(alg)","kid":"\#(id)"}"#) + "." + payload
    add("\(alg): zeros", message + "." + base64URL([UInt8](repeating: 0, count: size)), .signature)
    add("\(alg): ones", message + "." + base64URL([UInt8](repeating: 0xFF, count: size)), .signature)
    add("\(alg): nothing", message + ".", .signature)
  }
  add("ES256: DER", der(keys), .signature)
  add("ES256: r and s exchanged", exchanged(keys), .signature)
  add("RS256: a zero byte before it", zeroBefore(keys), .signature)

  // The claims.
  claims("exp missing", #"{"sub":"alice"}"#, .time)
  claims("exp a string", #"{"sub":"alice","exp":"1767229200"}"#, .time)
  claims("exp null", #"{"sub":"alice","exp":null}"#, .time)
  claims("exp true", #"{"sub":"alice","exp":true}"#, .time)
  claims("exp 1e18", #"{"sub":"alice","exp":1e18}"#, .time)
  claims("exp 10^18", #"{"sub":"alice","exp":1000000000000000000}"#, .time)
  claims("exp 1e30", #"{"sub":"alice","exp":1e30}"#, .time)
  claims("exp 1e999", #"{"sub":"alice","exp":1e999}"#, .time)
  claims("exp in the year 10000", #"{"sub":"alice","exp":253402300800}"#, .time)
  claims("exp of many digits", #"{"sub":"alice","exp":\#(String(repeating: "9", count: 400))}"#, .time)
  claims("exp negative", #"{"sub":"alice","exp":-1}"#, .time)
  claims("exp hexadecimal", #"{"sub":"alice","exp":0x7FFFFFFF}"#, .payloadFormat)
  claims("exp NaN", #"{"sub":"alice","exp":NaN}"#, .payloadFormat)
  claims("exp twice", #"{"sub":"alice","exp":1,"exp":1767229200}"#, .payloadFormat)
  claims("expired", #"{"sub":"alice","exp":1767225600}"#, .expired)
  claims("exp 0", #"{"sub":"alice","exp":0}"#, .expired)
  claims("nbf in the future", #"{"sub":"alice","exp":1767229200,"nbf":1767225601}"#, .notYetValid)
  claims("nbf a string", #"{"sub":"alice","exp":1767229200,"nbf":"0"}"#, .time)
  claims("iat in the future", #"{"sub":"alice","exp":1767229200,"iat":1767225601}"#, .notYetValid)
  claims("iat 1e18", #"{"sub":"alice","exp":1767229200,"iat":1e18}"#, .time)
  claims("aud for somebody else", #"{"sub":"alice","exp":1767229200,"aud":"x"}"#, .audience)
  claims("aud an empty list", #"{"sub":"alice","exp":1767229200,"aud":[]}"#, .audience)
  claims("iss a list", #"{"sub":"alice","exp":1767229200,"iss":["x"]}"#, .issuer)
  claims("sub missing", #"{"exp":1767229200}"#, .subject)
  claims("sub empty", #"{"sub":"","exp":1767229200}"#, .subject)
  claims("sub a path", #"{"sub":"../x","exp":1767229200}"#, .subject)
  claims("sub a number", #"{"sub":7,"exp":1767229200}"#, .subject)
  claims("sub a list", #"{"sub":["alice"],"exp":1767229200}"#, .subject)
  claims("sub with a NUL", #"{"sub":"alice\u0000","exp":1767229200}"#, .subject)
  claims("sub with a line end", #"{"sub":"alice\r\nX: y","exp":1767229200}"#, .subject)
  claims("sub not ASCII", #"{"sub":"älice","exp":1767229200}"#, .subject)
  claims("sub of 255 bytes", #"{"sub":"\#(String(repeating: "a", count: 255))","exp":1767229200}"#, .subject)
  claims("sub twice", #"{"sub":"alice","sub":"bob","exp":1767229200}"#, .payloadFormat)
  claims("sub twice, once escaped", #"{"sub":"alice","s\u0075b":"bob","exp":1767229200}"#, .payloadFormat)
  claims("a lone surrogate", #"{"sub":"alice","exp":1767229200,"x":"\ud800"}"#, .payloadFormat)
  claims("claims no object", "[]", .payloadFormat)
  claims("claims in two objects", goodPayload + goodPayload, .payloadFormat)
  add(
    "sub not UTF-8",
    keys.craft(
      parts: header, base64URL(Array(#"{"exp":1767229200,"sub":"alice"#.utf8) + [0xC3] + Array(#""}"#.utf8))),
    .payloadFormat)
  return table
}

/// The same token with the unused low bits of the last character set: other programs decode it to the same bytes.
private func nextLast(_ token: String) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
  guard let last = token.last, let index = alphabet.firstIndex(of: last) else { return token }
  return token.dropLast() + String(alphabet[index | 1])
}

/// The public part of a key as a secret, which everybody knows.
private func confused(_ keys: KeySet) -> String {
  guard let start = Vectors.keySet.firstRange(of: #""n": ""#)?.upperBound else { return "" }
  let modulus = String(Vectors.keySet[start...].prefix { $0 != "\"" })
  let own = try? keySet(#"{"keys":[{"kty":"oct","kid":"h","k":"\#(modulus)"}]}"#)
  return own?.craft(#"{"alg":"HS256","kid":"r"}"#, goodPayload) ?? ""
}

private func ownKey() -> String {
  let secret = base64URL([UInt8](repeating: 1, count: 32))
  let own = try? keySet(#"{"keys":[{"kty":"oct","kid":"h","k":"\#(secret)"}]}"#)
  return own?.craft(#"{"alg":"HS256","kid":"h","jwk":{"kty":"oct","k":"\#(secret)"}}"#, goodPayload) ?? ""
}

private func splitLast(_ token: String) -> (message: String, signature: [UInt8]) {
  let parts = token.split(separator: ".").map(String.init)
  return (parts[0] + "." + parts[1], bytes(parts[2]))
}

private func der(_ keys: KeySet) -> String {
  let (message, signature) = splitLast(keys.craft(#"{"alg":"ES256","kid":"e"}"#, goodPayload, by: "e"))
  let number = { (bytes: ArraySlice<UInt8>) in [0x02, 0x21, 0x00] + Array(bytes) }
  return message + "." + base64URL([0x30, 0x46] + number(signature[..<32]) + number(signature[32...]))
}

private func exchanged(_ keys: KeySet) -> String {
  let (message, signature) = splitLast(keys.craft(#"{"alg":"ES256","kid":"e"}"#, goodPayload, by: "e"))
  return message + "." + base64URL(Array(signature[32...] + signature[..<32]))
}

private func zeroBefore(_ keys: KeySet) -> String {
  let (message, signature) = splitLast(keys.craft(#"{"alg":"RS256","kid":"r"}"#, goodPayload, by: "r"))
  return message + "." + base64URL([0] + signature)
}

@Suite struct HostileTokenTests {
  @Test func theGoodOneIsGood() throws {
    let verifier = TokenVerifier(keys: try keySet(Vectors.keySet))
    #expect(verifier.refusal(good) == nil)
    for (id, alg) in [("r", "RS256"), ("e", "ES256"), ("d", "EdDSA")] {
      let token = verifier.keys.craft(#"{"alg":"\#(alg)","kid":"\#(id)"}"#, goodPayload, by: id)
      #expect(verifier.refusal(token) == nil)
    }
  }

  @Test func eachIsRefusedForItsReason() throws {
    let verifier = TokenVerifier(keys: try keySet(Vectors.keySet))
    var cache = TokenCache()
    let table = try hostile()
    #expect(table.count >= 100)
    for entry in table {
      #expect(verifier.refusal(entry.token) == entry.reason, "\(entry.name)")
      #expect(throws: entry.reason, "\(entry.name), with a cache") {
        try cache.verify(Array(entry.token.utf8), with: verifier, now: wall(today))
      }
    }
    #expect(cache.count == 0)
    // What is never the reason has no test.
    #expect(Set(table.map(\.reason)) == Set(TokenError.allCases))
  }

  @Test func noReasonRepeatsTheToken() {
    for error in TokenError.allCases { #expect(error.description.utf8.count < 100) }
  }
}
