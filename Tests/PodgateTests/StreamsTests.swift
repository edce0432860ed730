import Linux
import LoopThread
import PodModel
import Systemd
import Testing
import Time
import TokenCheck

@testable import PodgateCore

@LoopActor
private final class Presence {
  var isAway = true
}

@Suite("Open WebSockets and event streams", .serialized)
struct StreamsTests {
  private static let keys =
    #"{"keys":[{"kty":"oct","alg":"HS256","k":"\#(String(repeating: "A", count: 43))"}]}"#

  private func token(_ user: String, for span: Microseconds = .hours(1)) throws -> VerifiedToken {
    let verifier = TokenVerifier(keys: try KeySet(jwkSet: Array(Self.keys.utf8), file: "keys.json"))
    let text = try verifier.sign(for: UserName(validating: user), now: Clock.wall, lifetime: span)
    return try verifier.verify(Array(text.utf8).span, now: Clock.wall)
  }

  @Test func aUserWhoLosesAccessLosesTheStreams() async throws {
    let (alice, bob) = (try token("alice"), try token("bob"))
    try await onLoop {
      let closed = Mailbox<[String]>()
      let streams = Streams { closed.put($0) }
      #expect(streams.opened("1.2.3.4:1", by: alice, at: "pod-001", until: .never))
      #expect(streams.opened("1.2.3.4:2", by: alice, at: "pod-001", until: .never))
      #expect(streams.opened("1.2.3.4:3", by: bob, at: "pod-001", until: .never))
      // Nothing has changed for her.
      streams.end(ofUser: "alice", unlessAt: "pod-001")
      streams.ended("1.2.3.4:1", user: "alice")
      streams.end(ofUser: "alice", unlessAt: nil)
      #expect(await closed.next() == ["1.2.3.4:2"])
      // He has moved.
      streams.end(ofUser: "bob", unlessAt: "pod-002")
      #expect(await closed.next() == ["1.2.3.4:3"])
      streams.end { _ in false }
      #expect(closed.pending.isEmpty)
    }
  }

  @Test func aTokenThatExpiresEndsItsStreams() async throws {
    let (short, long) = (try token("alice", for: .seconds(1)), try token("bob"))
    try await onLoop {
      let closed = Mailbox<[String]>()
      let streams = Streams { closed.put($0) }
      #expect(streams.opened("[::1]:1", by: long, at: "pod-001", until: .never))
      #expect(streams.opened("[::1]:2", by: short, at: "pod-001", until: short.expires))
      #expect(await closed.next() == ["[::1]:2"])
      streams.end { $0.user.text != "bob" }
      #expect(await closed.next() == ["[::1]:1"])
    }
  }

  @Test func whatCannotBeClosedNowIsClosedWhenPoddIsBack() async throws {
    let alice = try token("alice")
    try await onLoop {
      let asked = Mailbox<[String]>()
      let podd = Presence()
      let streams = Streams { peers throws(BusError) in
        asked.put(peers)
        if podd.isAway {
          throw BusError(name: "org.freedesktop.DBus.Error.ServiceUnknown", message: "podd is gone")
        }
      }
      for port in 1...300 {
        #expect(streams.opened("1.2.3.4:\(port)", by: alice, at: "pod-001", until: .never))
      }
      streams.end(ofUser: "alice", unlessAt: nil)
      #expect(await asked.next().count == 256)
      podd.isAway = false
      streams.canClose()
      #expect(await asked.next().count == 256)
      #expect(await asked.next().count == 44)
    }
  }
}
