import PodModel
import Seeded
import Testing
import Time

@testable import TokenCheck

@Suite struct TokenCacheTests {
  private func token(_ keys: KeySet, _ user: String, _ number: Int = 0, until: UInt64 = today + 3600)
    -> [UInt8]
  {
    Array(keys.craft(goodHeader, #"{"sub":"\#(user)","exp":\#(until),"jti":"\#(number)"}"#).utf8)
  }

  @Test func aHitSaysWhatTheVerifierSays() throws {
    let verifier = TokenVerifier(keys: try keySet(Vectors.keySet))
    var cache = TokenCache()
    let token = token(verifier.keys, "alice")
    let first = try cache.verify(token, with: verifier, now: wall(today))
    #expect(try cache.verify(token, with: verifier, now: wall(today)) == first)
    #expect(try verifier.verify(token, now: wall(today)) == first)
    #expect(cache.count == 1)
  }

  @Test func timesCountOnEachHit() throws {
    let keys = try keySet(Vectors.keySet)
    let verifier = TokenVerifier(keys: keys, leeway: .seconds(2))
    var cache = TokenCache()
    let token = Array(
      keys.craft(goodHeader, #"{"sub":"alice","nbf":\#(today),"exp":\#(today + 100)}"#).utf8)
    func ask(_ seconds: UInt64) -> TokenError? {
      do throws(TokenError) {
        _ = try cache.verify(token, with: verifier, now: wall(seconds))
        return nil
      } catch { return error }
    }
    #expect(ask(today) == nil)
    #expect(ask(today + 101) == nil)
    #expect(ask(today + 102) == .expired)
    #expect(ask(today + 50) == nil)
    // An administrator sets the clock back.
    #expect(ask(today - 3) == .notYetValid)
    #expect(ask(today - 2) == nil)
  }

  @Test func anotherKeySetForgetsEverything() throws {
    let keys = try keySet(Vectors.keySet)
    var cache = TokenCache()
    let token = token(keys, "alice")
    _ = try cache.verify(token, with: TokenVerifier(keys: keys), now: wall(today))
    for other in [
      TokenVerifier(keys: try keySet(Vectors.otherKeySet)), TokenVerifier(keys: keys, issuer: "i"),
      TokenVerifier(keys: keys, audiences: ["a"]),
    ] {
      #expect(throws: TokenError.self) { try cache.verify(token, with: other, now: wall(today)) }
      #expect(cache.count == 0)
      _ = try cache.verify(token, with: TokenVerifier(keys: keys), now: wall(today))
    }
    // The same file again, and another leeway, change nothing.
    let again = TokenVerifier(keys: try keySet(Vectors.keySet), leeway: .seconds(1))
    _ = try cache.verify(token, with: again, now: wall(today))
    #expect(cache.count == 1)
  }

  @Test func oneUserHasFewEntriesAndOthersKeepTheirs() throws {
    let verifier = TokenVerifier(keys: try keySet(Vectors.keySet))
    var cache = TokenCache()
    let alice = token(verifier.keys, "alice")
    _ = try cache.verify(alice, with: verifier, now: wall(today))
    var now = today
    for number in 0..<200 {
      now += 10
      let token = token(verifier.keys, "bob", number)
      #expect(try cache.verify(token, with: verifier, now: wall(now)).user.text == "bob")
      _ = try cache.verify(alice, with: verifier, now: wall(now))
      #expect(cache.count <= TokenCache.maximumPerUser + 2)
    }
  }

  /// Against a model that verifies each time, over hours of a virtual clock, with a small cache.
  @Test func theCacheIsBoundedAndNeverWrong() throws {
    let keys = try keySet(Vectors.keySet)
    var random = SeededGenerator(7)
    var cache = TokenCache(capacity: 64)
    var now = today
    let tokens = (0..<200).map { index in
      token(keys, "user\(index % 60)", index, until: today + UInt64.random(in: 0...40_000, using: &random))
    }
    let verifiers = [
      TokenVerifier(keys: keys), TokenVerifier(keys: try keySet(Vectors.otherKeySet)),
      TokenVerifier(keys: keys, leeway: .seconds(60)),
    ]
    var verifier = verifiers[0]
    for _ in 0..<20_000 {
      now += UInt64.random(in: 0...4, using: &random)
      if Int.random(in: 0..<500, using: &random) == 0 {
        verifier = verifiers[Int.random(in: 0..<3, using: &random)]
      }
      let token = tokens[
        min(Int.random(in: 0..<200, using: &random), Int.random(in: 0..<200, using: &random))]
      let wanted = try? verifier.verify(token, now: wall(now))
      #expect((try? cache.verify(token, with: verifier, now: wall(now))) == wanted)
      #expect(cache.count <= 64)
    }
  }

  @Test func whatIsNotUsedIsForgotten() throws {
    let verifier = TokenVerifier(keys: try keySet(Vectors.keySet))
    var cache = TokenCache()
    for number in 0..<100 {
      let token = token(verifier.keys, "user\(number)")
      _ = try cache.verify(token, with: verifier, now: wall(today))
    }
    let used = token(verifier.keys, "user7")
    for seconds in stride(from: today, through: today + 600, by: 60) {
      _ = try cache.verify(used, with: verifier, now: wall(seconds))
    }
    #expect(cache.count == 1)
  }
}
