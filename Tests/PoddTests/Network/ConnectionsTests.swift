import Glibc
import LoopThread
import Systemd
import Testing

@testable import PoddCore

@Suite(.timeLimit(.minutes(10))) struct ConnectionsTests {
  @Test func theSocketsOfAProcessAreFound() async throws {
    var ends: [CInt] = [0, 0]
    try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    defer { for end in ends { close(end) } }
    let name = try #require(Files.linkTarget("/proc/self/fd/\(ends[0])"))
    let own = getpid()
    let found = try await onLoop { await Connections.sockets(of: [own]) }
    #expect(found?.contains { name == "socket:[\($0)]" } == true)
  }

  @Test func tooManyDescriptorsAreNotLookedAt() async throws {
    let own = getpid()
    #expect(try await onLoop { await Connections.sockets(of: [own], mostDescriptors: 2) } == nil)
  }

  @Test func aProcessThatHasEndedHoldsNone() async throws {
    #expect(try await onLoop { await Connections.sockets(of: [pid_t.max]) } == [])
  }
}
