import PodModel
import Time

@testable import TokenCheck

/// 2026-01-01 in seconds.
let today: UInt64 = 1_767_225_600

func wall(_ seconds: UInt64) -> WallTime { WallTime(sinceEpoch: .seconds(seconds)) }

func keySet(_ text: String) throws(KeySetError) -> KeySet {
  try KeySet(jwkSet: Array(text.utf8), file: "keys.json")
}

extension TokenVerifier {
  func verify(_ token: String, at seconds: UInt64 = today) throws(TokenError) -> VerifiedToken {
    try verify(Array(token.utf8).span, now: wall(seconds))
  }

  /// The reason why a token is refused; nil if it is accepted.
  func refusal(_ token: String, at seconds: UInt64 = today) -> TokenError? {
    do throws(TokenError) {
      _ = try verify(token, at: seconds)
      return nil
    } catch { return error }
  }
}

func base64URL(_ text: String) -> String { base64URL(Array(text.utf8)) }
func base64URL(_ bytes: [UInt8]) -> String { String(decoding: Base64URL.encode(bytes), as: UTF8.self) }
func bytes(_ text: String) -> [UInt8] { Base64URL.decode(Array(text.utf8).span) ?? [] }

extension KeySet {
  /// Any header and payload, signed by a key of the set, whatever the header says.
  func craft(_ header: String, _ payload: String, by id: String = "h") -> String {
    craft(parts: base64URL(header), base64URL(payload), by: id)
  }

  func craft(parts header: String, _ payload: String, by id: String = "h") -> String {
    let message = header + "." + payload
    let key = keys.first { $0.id == id } ?? keys[0]
    return message + "." + base64URL(key.sign(Array(message.utf8)) ?? [])
  }
}

let goodHeader = #"{"alg":"HS256","kid":"h"}"#
let goodPayload = #"{"sub":"alice","exp":1767229200}"#

// #expect cannot take a span apart.

extension TokenCache {
  mutating func verify(_ token: [UInt8], with verifier: TokenVerifier, now: WallTime) throws(TokenError)
    -> VerifiedToken
  {
    try verify(token.span, with: verifier, now: now)
  }
}

extension TokenVerifier {
  func verify(_ token: [UInt8], now: WallTime) throws(TokenError) -> VerifiedToken {
    try verify(token.span, now: now)
  }
}

extension Key {
  func verifies(_ message: String, _ signature: [UInt8]) -> Bool {
    verifies(Array(message.utf8).span, signature)
  }
}

extension Base64URL {
  static func decode(_ text: [UInt8]) -> [UInt8]? { decode(text.span) }
}

extension ExpectedSecret {
  func matches(_ text: String) -> Bool { matches(Array(text.utf8).span) }
}
