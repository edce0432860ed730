import Glibc
import LoopThread
import Systemd
import Testing

@testable import PodgateCore

@Suite("Connections that are watched together", .serialized)
struct ConnectionSetTests {
  /// A connection with a byte to read at its watched end.
  private static func pair() throws -> (nginx: CInt, gate: CInt) {
    var ends: [CInt] = [0, 0]
    try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    try #require(send(ends[0], "x", 1, 0) == 1)
    return (ends[0], ends[1])
  }

  private static func take(_ connection: CInt) {
    var byte: UInt8 = 0
    _ = recv(connection, &byte, 1, CInt(MSG_DONTWAIT))
  }

  @Test func moreThanAreServedAtOnceAreAllServed() async throws {
    try await onLoop {
      let set = try ConnectionSet()
      let box = Mailbox<Int>()
      let pairs = try (0..<150).map { _ in try Self.pair() }
      for (number, pair) in pairs.enumerated() {
        try set.add(pair.gate) {
          Self.take(pair.gate)
          box.put(number)
        }
      }
      var served: [Int] = []
      for _ in pairs { served.append(await box.next()) }
      #expect(served.sorted() == Array(0..<150))
      for pair in pairs {
        set.remove(pair.gate)
        close(pair.nginx)
        close(pair.gate)
      }
    }
  }

  @Test func whatIsPausedIsNotReadUntilItIsResumed() async throws {
    try await onLoop {
      let set = try ConnectionSet()
      let box = Mailbox<String>()
      let (paused, other) = (try Self.pair(), try Self.pair())
      for (name, pair) in [("paused", paused), ("other", other)] {
        try set.add(pair.gate) {
          Self.take(pair.gate)
          box.put(name)
        }
      }
      set.pause(paused.gate)
      #expect(await box.next() == "other")
      send(other.nginx, "x", 1, 0)
      #expect(await box.next() == "other")
      set.resume(paused.gate)
      #expect(await box.next() == "paused")
      for end in [paused.nginx, paused.gate, other.nginx, other.gate] { close(end) }
    }
  }

  /// Both are ready at the same time, and the first one that is served has the other one closed.
  @Test func whatIsRemovedMeanwhileIsNotServed() async throws {
    try await onLoop {
      let set = try ConnectionSet()
      let box = Mailbox<CInt>()
      let (first, second) = (try Self.pair(), try Self.pair())
      for (own, other) in [(first.gate, second.gate), (second.gate, first.gate)] {
        try set.add(own) {
          Self.take(own)
          set.remove(other)
          box.put(own)
        }
      }
      let served = await box.next()
      let witness = try Self.pair()
      try set.add(witness.gate) {
        Self.take(witness.gate)
        box.put(witness.gate)
      }
      #expect(await box.next() == witness.gate)
      #expect([first.gate, second.gate].contains(served))
      for pair in [first, second, witness] {
        set.remove(pair.gate)
        close(pair.nginx)
        close(pair.gate)
      }
    }
  }
}
