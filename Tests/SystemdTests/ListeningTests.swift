import LoopThread
import Systemd
import Testing

/// A client without a loop, in a process of its own, that hears signals while it waits for an answer.
@Suite(.timeLimit(.minutes(10))) struct ListeningTests {
  static let name = "org.podctl1.Test"
  static let path = "/org/podctl1/test"

  @LoopActor private final class Server {
    private let bus: Bus
    private var slot: Slot?

    init(_ daemon: BusDaemon, _ answer: @escaping @LoopActor (Bus, MethodCall) throws -> Void) async throws {
      let bus = try daemon.connect("server")
      self.bus = bus
      slot = try bus.addObject(path: ListeningTests.path) { call in
        LoopActor.assumeIsolated {
          do { try answer(bus, call) } catch { Issue.record(error) }
          return true
        }
      }
      try await bus.requestNameAsync(ListeningTests.name)
    }
  }

  private func heard(
    _ daemon: BusDaemon, _ answer: @escaping @LoopActor @Sendable (Bus, MethodCall) throws -> Void
  ) async throws -> String {
    let server = try await onLoop { try await Server(daemon, answer) }
    defer { withExtendedLifetime(server) {} }
    return try Probe.run(["listen"], environment: ["DBUS_SYSTEM_BUS_ADDRESS": daemon.address])
  }

  @LoopActor private static func step(_ bus: Bus, _ text: String) throws {
    let signal = try bus.newSignal(path: path, interface: name, member: "Step")
    try signal.append(text)
    try bus.send(signal)
  }

  @Test func signalsAreHeardBeforeTheAnswer() async throws {
    let output = try await heard(try BusDaemon()) { bus, call in
      try Self.step(bus, "one")
      try Self.step(bus, "two")
      call.reply { message throws(BusError) in try message.append("done") }
    }
    #expect(output == "step one\nstep two\nanswer done\n")
  }

  @Test func anErrorEndsTheWait() async throws {
    let output = try await heard(try BusDaemon()) { bus, call in
      try Self.step(bus, "one")
      call.fail(BusError(name: "org.podctl1.Error.RolloutStopped", message: "pod-002"))
    }
    #expect(output == "step one\nfailed org.podctl1.Error.RolloutStopped pod-002\n")
  }

  @Test func aBusThatIsGoneEndsTheWait() async throws {
    let daemon = try BusDaemon()
    let output = try await heard(daemon) { _, _ in daemon.kill() }
    #expect(output.hasPrefix("failed org.freedesktop.DBus.Error.NoReply "))
  }
}
