import CLinux
import Glibc
import Linux
import PodAPI
import Systemd
import Time
import TokenCheck

/// podgate from start to stop: its two sockets, its settings, and podd.
@LoopActor
final class GateDaemon {
  private var signals: [SignalWatch] = []
  private var podd: PoddLink?
  private var gatekeeper: Gatekeeper?
  private var server: AuthServer?
  private var log: AccessLog?
  private var placements: Placements?
  private var streams: Streams?

  private final class SignalWatch {
    let source: EventSource
    init(_ source: consuming EventSource) { self.source = source }
  }

  /// Why podgate cannot start.
  struct Unfit: Error {
    let message: String
  }

  func start(_ passed: [(name: String, descriptor: CInt)]) throws(Unfit) {
    let sockets = passed.map(\.descriptor)
    guard let listener = sockets.first(where: { linux_is_listener($0) == 1 }),
      let datagrams = sockets.first(where: { linux_is_listener($0) != 1 }), sockets.count == 2
    else { throw Unfit(message: "podgate needs the two sockets of podgate.socket; start that unit") }
    do throws(Errno) {
      try EventLoop.main.enableWatchdog()
      signals = [
        SignalWatch(
          try EventSource.signal(EventLoop.main, SIGTERM) { LoopActor.assumeIsolated { self.stop() } }),
        SignalWatch(
          try EventSource.signal(EventLoop.main, SIGINT) { LoopActor.assumeIsolated { self.stop() } }),
        SignalWatch(
          try EventSource.signal(EventLoop.main, SIGHUP) { LoopActor.assumeIsolated { self.reload() } }),
      ]
      let placements = Placements(
        isPresent: { [weak self] in self?.podd?.isPresent ?? false },
        resolve: { [weak self] user throws(BusError) in
          guard let podd = self?.podd else { throw Self.notConnected }
          return try await podd.resolve(user)
        })
      let streams = Streams(close: { [weak self] peers throws(BusError) in
        guard let podd = self?.podd else { throw Self.notConnected }
        try await podd.close(peers)
      })
      let gatekeeper = Gatekeeper(placements: placements, streams: streams)
      (self.placements, self.streams, self.gatekeeper) = (placements, streams, gatekeeper)
      try connect(placements, streams)
      readFiles(gatekeeper, streams)
      server = try AuthServer(listener: listener) { gatekeeper.judge($0, $1) }
      log = try AccessLog(socket: datagrams) { streams.ended($0, user: $1) }
    } catch {
      throw Unfit(message: error.description)
    }
    Notify.send("READY=1")
  }

  private static let notConnected = BusError(
    name: "org.freedesktop.DBus.Error.Disconnected", message: "podgate is not connected")

  private func connect(_ placements: Placements, _ streams: Streams) throws(Errno) {
    do throws(BusError) {
      podd = try PoddLink(
        PoddLink.Handlers(
          userChanged: { change in
            placements.changed(change.user)
            streams.end(ofUser: change.user, unlessAt: change.status == "active" ? change.pod : nil)
          },
          podStateChanged: { placements.changed($0) },
          everythingChanged: { placements.everythingChanged() },
          appeared: {
            placements.canAsk()
            streams.canClose()
          }))
    } catch {
      throw Errno(error.code, "connect to the system bus")
    }
  }

  // MARK: Settings

  /// sd_notify(3): RELOADING=1 with the time, then READY=1, also when the reload failed.
  private func reload() {
    guard let gatekeeper, let streams else { return }
    Notify.send("RELOADING=1\nMONOTONIC_USEC=\(Clock.loop.sinceBoot.count)")
    readFiles(gatekeeper, streams)
    Notify.send("READY=1")
  }

  private func readFiles(_ gatekeeper: Gatekeeper, _ streams: Streams) {
    do throws(GateConfiguration.Failure) {
      let read = try GateConfiguration.read()
      for note in read.notes { GateLog.warning(note) }
      gatekeeper.configuration = read
      streams.end { read.verifier.keys.holds($0.key) }
      let count = read.verifier.keys.names.count
      let status = "Tokens are checked with \(count) key\(count == 1 ? "" : "s")."
      GateLog.info(status)
      Notify.send("STATUS=\(status)")
    } catch {
      let consequence =
        gatekeeper.configuration == nil
        ? "no request is admitted before that is corrected and podgate.service is reloaded"
        : "the settings and keys read before stay in force"
      for message in error.messages { GateLog.error("\(message); \(consequence).") }
      Notify.send("STATUS=\(error.messages.first ?? ""); \(consequence).")
    }
  }

  private func stop() {
    Notify.send("STOPPING=1")
    EventLoop.main.exit(0)
  }
}
