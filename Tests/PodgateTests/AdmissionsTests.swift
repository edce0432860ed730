import Glibc
import Linux
import LoopThread
import PodAPI
import PodModel
import Systemd
import Testing
import Time
import TokenCheck

@testable import PodgateCore

@LoopActor
private final class Podd {
  var isAway = false
  /// The peers that have a connection.
  var connected: [String] = []
  let closed = Mailbox<[String]>()

  func connections() -> ClientConnections {
    ClientConnections(
      close: { peers throws(BusError) in
        self.closed.put(peers)
        if self.isAway { throw Self.gone }
      },
      find: { peers throws(BusError) in
        if self.isAway { throw Self.gone }
        return peers.filter(self.connected.contains)
      })
  }

  private static let gone = BusError(
    name: "org.freedesktop.DBus.Error.ServiceUnknown", message: "podd is gone")
}

extension Admissions.Outcome {
  fileprivate var ticket: Ticket? {
    if case .admitted(let ticket) = self { ticket } else { nil }
  }

  fileprivate var isTooMany: Bool {
    if case .tooMany = self { true } else { false }
  }
}

@Suite("Requests under way, and the streams among them", .serialized)
struct AdmissionsTests {
  private static let keys =
    #"{"keys":[{"kty":"oct","alg":"HS256","k":"\#(String(repeating: "A", count: 43))"}]}"#

  private func token(_ user: String, for span: Microseconds = .hours(1)) throws -> VerifiedToken {
    let verifier = TokenVerifier(keys: try KeySet(jwkSet: Array(Self.keys.utf8), file: "keys.json"))
    let text = try verifier.sign(for: UserName(validating: user), now: Clock.wall, lifetime: span)
    return try verifier.verify(Array(text.utf8).span, now: Clock.wall)
  }

  private func place(_ user: String, pod: String = "pod-001", most: UInt32 = 0) throws -> Place {
    var resolved = ResolvedUser(
      user: user, status: "active", pod: pod, state: "ready", address: "127.77.0.1",
      frontAddress: "127.76.0.1", port: 10001, token: "t", tier: "free", dataBytes: 0, dataMax: nil)
    resolved.connectionsMax = most
    return try #require(
      Place(
        resolved,
        pod: KnownPod(
          name: pod, address: "127.77.0.1:10001", frontAddress: "127.76.0.1", state: "ready", toldAt: 0),
        rules: TierRules(resolved)))
  }

  private func directory() throws -> String {
    var template = Array("/tmp/podgate-XXXXXX\0".utf8.map(CChar.init(bitPattern:)))
    try #require(mkdtemp(&template) != nil)
    return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  @Test func aUserWhoLosesAccessLosesTheStreams() async throws {
    let (alice, bob, here) = (try token("alice"), try token("bob"), try place("alice"))
    try await onLoop {
      let podd = Podd()
      let admissions = Admissions(nil, podd.connections())
      var begun: [String] = []
      admissions.onStream = { begun.append($0.user) }
      let first = admissions.open(alice, at: here, client: "1.2.3.4:1", until: .never)
      _ = admissions.open(alice, at: here, client: "1.2.3.4:2", until: .never)
      _ = admissions.open(bob, at: here, client: "1.2.3.4:3", until: .never)
      // It ends by itself.
      _ = admissions.open(alice, at: here, client: "1.2.3.4:4", until: nil)
      #expect(admissions.usersOfStreams == ["alice", "bob"])
      #expect(begun == ["alice", "alice", "bob"])
      // Nothing has changed for her.
      admissions.end(ofUser: "alice", unlessAt: "pod-001")
      admissions.close(try #require(first.ticket))
      admissions.end(ofUser: "alice", unlessAt: nil)
      #expect(await podd.closed.next() == ["1.2.3.4:2"])
      // He has moved.
      admissions.end(ofUser: "bob", unlessAt: "pod-002")
      #expect(await podd.closed.next() == ["1.2.3.4:3"])
      admissions.end { _ in false }
      #expect(podd.closed.pending.isEmpty)
    }
  }

  @Test func aTokenThatExpiresEndsItsStreams() async throws {
    let (short, long, here) = (try token("alice", for: .seconds(1)), try token("bob"), try place("alice"))
    try await onLoop {
      let podd = Podd()
      let admissions = Admissions(nil, podd.connections())
      _ = admissions.open(long, at: here, client: "[::1]:1", until: .never)
      _ = admissions.open(short, at: here, client: "[::1]:2", until: short.expires)
      #expect(await podd.closed.next() == ["[::1]:2"])
      admissions.end { $0 != long.key }
      #expect(await podd.closed.next() == ["[::1]:1"])
    }
  }

  @Test func whatCannotBeClosedNowIsClosedWhenPoddIsBack() async throws {
    let (alice, here) = (try token("alice"), try place("alice"))
    try await onLoop {
      let podd = Podd()
      podd.isAway = true
      let connections = podd.connections()
      let admissions = Admissions(nil, connections)
      for port in 1...300 {
        _ = admissions.open(alice, at: here, client: "1.2.3.4:\(port)", until: .never)
      }
      admissions.end(ofUser: "alice", unlessAt: nil)
      #expect(await podd.closed.next().count == 256)
      podd.isAway = false
      connections.canClose()
      #expect(await podd.closed.next().count == 256)
      #expect(await podd.closed.next().count == 44)
    }
  }

  @Test func aUserHasAsManyAtOnceAsTheTierAllows() async throws {
    let (alice, bob, two) = (try token("alice"), try token("bob"), try place("alice", most: 2))
    let one = try place("alice", most: 1)
    try await onLoop {
      let admissions = Admissions(nil, Podd().connections())
      let first = try #require(admissions.open(alice, at: two, client: "1.2.3.4:1", until: nil).ticket)
      // HTTP/2: the same connection.
      let second = try #require(admissions.open(alice, at: two, client: "1.2.3.4:1", until: .never).ticket)
      #expect(admissions.open(alice, at: two, client: "1.2.3.4:2", until: nil).isTooMany)
      #expect(admissions.open(bob, at: two, client: "1.2.3.4:3", until: nil).ticket != nil)
      // Another request's ticket, also one that had the same place.
      admissions.close(Ticket(place: first.place, serial: first.serial + 1000))
      admissions.close(Ticket(place: 4711, serial: first.serial))
      #expect(admissions.open(alice, at: two, client: "1.2.3.4:2", until: nil).isTooMany)
      #expect(admissions.close(first)?.user == "alice")
      #expect(admissions.close(first) == nil)
      let third = try #require(admissions.open(alice, at: two, client: "1.2.3.4:2", until: nil).ticket)
      #expect(admissions.open(alice, at: two, client: "1.2.3.4:2", until: nil).isTooMany)
      // The tier has changed.
      admissions.close(second)
      #expect(admissions.open(alice, at: one, client: "1.2.3.4:2", until: nil).isTooMany)
      admissions.close(third)
      #expect(admissions.open(alice, at: one, client: "1.2.3.4:2", until: nil).ticket != nil)
    }
  }

  @Test func theNextPodgateKnowsTheStreams() async throws {
    let (alice, bob, two) = (try token("alice"), try token("bob"), try place("alice", most: 2))
    let path = try directory() + "/streams"
    try await onLoop {
      let old = Admissions(try StreamFile(path), Podd().connections())
      let ended = try #require(old.open(bob, at: two, client: "1.2.3.4:1", until: .never).ticket)
      let open = try #require(
        old.open(alice, at: two, client: "[2001:db8::1]:2", until: alice.expires).ticket)
      let plain = try #require(old.open(alice, at: two, client: "1.2.3.4:3", until: nil).ticket)
      old.close(ended)

      let podd = Podd()
      podd.connected = ["[2001:db8::1]:2"]
      let new = Admissions(try StreamFile(path), podd.connections())
      #expect(new.usersOfStreams == ["alice"])
      // The end of what the new one does not know of takes nobody's place.
      new.close(plain)
      let own = try #require(new.open(alice, at: two, client: "1.2.3.4:4", until: nil).ticket)
      #expect(own.serial > plain.serial && own.place != open.place)
      #expect(new.open(alice, at: two, client: "1.2.3.4:5", until: nil).isTooMany)
      await new.dropGone()
      new.end { $0 == alice.key }
      new.end(ofUser: "alice", unlessAt: "pod-001")
      #expect(podd.closed.pending.isEmpty)
      new.end(ofUser: "alice", unlessAt: nil)
      #expect(await podd.closed.next() == ["[2001:db8::1]:2"])
      new.close(open)
      #expect(Admissions(try StreamFile(path), podd.connections()).usersOfStreams.isEmpty)
    }
  }

  @Test func aStreamWhoseConnectionIsGoneIsForgotten() async throws {
    let (alice, bob, here) = (try token("alice"), try token("bob"), try place("alice"))
    let path = try directory() + "/streams"
    try await onLoop {
      let old = Admissions(try StreamFile(path), Podd().connections())
      _ = old.open(alice, at: here, client: "1.2.3.4:1", until: .never)
      _ = old.open(bob, at: here, client: "1.2.3.4:2", until: .never)

      let podd = Podd()
      let new = Admissions(try StreamFile(path), podd.connections())
      podd.isAway = true
      await new.dropGone()
      #expect(new.usersOfStreams == ["alice", "bob"])
      podd.isAway = false
      podd.connected = ["1.2.3.4:2"]
      await new.dropGone()
      #expect(new.usersOfStreams == ["bob"])
      // Closed in vain: its connection is still there when podd is asked again.
      new.end(ofUser: "bob", unlessAt: nil)
      #expect(await podd.closed.next() == ["1.2.3.4:2"])
      await new.dropGone()
      #expect(await podd.closed.next() == ["1.2.3.4:2"])
      // A young one has no connection to the pod yet.
      _ = new.open(alice, at: here, client: "1.2.3.4:3", until: .never)
      await new.dropGone()
      #expect(new.usersOfStreams == ["alice", "bob"])
    }
  }

  /// There nginx has no address of the client.
  @Test(arguments: ["unix:", "[unix:]:", ""])
  func behindASocketTheConnectionToThePodIsClosed(client: String) async throws {
    let (alice, here) = (try token("alice"), try place("alice"))
    try await onLoop {
      let podd = Podd()
      let admissions = Admissions(nil, podd.connections())
      _ = admissions.open(alice, at: here, client: client, until: .never)
      admissions.end(ofUser: "alice", unlessAt: nil)
      #expect(await podd.closed.next() == ["127.77.0.1:10001"])
    }
  }

  @Test(arguments: [
    "", "1\ta\tpod-001\t1.2.3.4:1\tff\t5", "1\ta\tpod-001\t1.2.3.4:1\tff\tx\n", "\t\t\t\t\t\n",
    "1\ta\tpod-001\t1.2.3.4:1\tff\n", "1\ta\tpod-001\t1.2.3.4:1\tff\t5\t6\n",
  ])
  func aRecordThatIsNotWholeIsNoStream(record: String) throws {
    #expect(AdmittedRequest(record: Array(record.utf8)) == nil)
    let whole = try #require(
      AdmittedRequest(record: Array("1\ta\tpod-001\t1.2.3.4:1\tff\t5\n".utf8)))
    #expect(whole.record.map { Array($0.utf8) } == Array("1\ta\tpod-001\t1.2.3.4:1\tff\t5\n".utf8))
  }

  @Test func theLongestNamesFitIntoARecord() async throws {
    let name = String(repeating: "a", count: UserName.maximumBytes)
    let (token, here) = (try token(name), try place(name, pod: "pod-1000000"))
    let path = try directory() + "/streams"
    try await onLoop {
      let client = "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535"
      _ = Admissions(try StreamFile(path), Podd().connections())
        .open(token, at: here, client: client, until: .never)
      #expect(Admissions(try StreamFile(path), Podd().connections()).usersOfStreams == [name])
    }
  }
}
