import PodModel
import Seeded
import Testing
import Time

@testable import TokenCheck

/// Changes good tokens at random. None of the results may be accepted, and none may trap.
@Suite struct MutationTests {
  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ {}\"\0".utf8)

  @Test(arguments: 0..<4) func aChangedTokenIsRefused(index: Int) throws {
    var random = SeededGenerator(UInt64(index) + 1)
    let verifier = TokenVerifier(keys: try keySet(Vectors.keySet), audiences: ["podctl"])
    let original = Array(Vectors.tokens[index].utf8)
    _ = try verifier.verify(original, now: wall(today))
    for _ in 0..<3_000 {
      let changed = mutated(original, &random)
      guard changed != original else { continue }
      #expect(throws: TokenError.self) { try verifier.verify(changed, now: wall(today)) }
    }
  }

  /// Here the changes are made before the signature, so that they reach the readers behind it.
  @Test func changedContentTrapsNothing() throws {
    var random = SeededGenerator(5)
    let verifier = TokenVerifier(keys: try keySet(Vectors.keySet))
    var accepted = 0
    let header = Array(goodHeader.utf8)
    let payload = Array(
      #"{"sub":"alice","exp":1767229200,"nbf":1e9,"iat":0.5,"jti":"\u00e9\ud83e\udd8a","x":[{"y":null}]}"#
        .utf8)
    for _ in 0..<20_000 {
      let token = verifier.keys.craft(
        parts: base64URL(Bool.random(using: &random) ? header : mutated(header, &random)),
        base64URL(mutated(payload, &random)))
      guard let verified = try? verifier.verify(token) else { continue }
      accepted += 1
      #expect(verified.expires > wall(today) && verified.notBefore <= wall(today))
      #expect(UserName(stored: verified.user.text) != nil)
    }
    #expect(accepted > 100, "nothing reaches the end: \(accepted)")
  }

  private func mutated(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let place = Int.random(in: 0..<max(1, bytes.count), using: &random)
      guard place < bytes.count else { break }
      let character = Self.alphabet[Int.random(in: 0..<Self.alphabet.count, using: &random)]
      switch Int.random(in: 0..<7, using: &random) {
      case 0: bytes[place] = character
      case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
      case 2: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 3: bytes.insert(character, at: place)
      case 4: bytes.remove(at: place)
      case 5: bytes.removeLast(Int.random(in: 0...min(10, bytes.count), using: &random))
      default:
        let part = bytes[place..<min(bytes.count, place + Int.random(in: 1...40, using: &random))]
        bytes.insert(contentsOf: part, at: Int.random(in: 0...bytes.count, using: &random))
      }
    }
    return bytes
  }
}
