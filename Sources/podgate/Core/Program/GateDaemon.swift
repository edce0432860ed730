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
  private let figures = GateFigures()
  private var log: AccessLog?
  private var placements: Placements?
  private var admissions: Admissions?
  private var uses: UseReports?
  private var requests: RequestReports?
  private var isStopping = false
  /// Which look at the streams' users is the last one.
  private var look: UInt64 = 0

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
      let connections = ClientConnections(
        close: { [weak self] peers throws(BusError) in
          guard let podd = self?.podd else { throw Self.notConnected }
          try await podd.close(peers)
        },
        find: { [weak self] peers throws(BusError) in
          guard let podd = self?.podd else { throw Self.notConnected }
          return try await podd.find(peers)
        })
      let admissions = Admissions(Self.streamFile(), connections)
      let uses = UseReports { [weak self] use throws(BusError) in
        guard let podd = self?.podd else { throw Self.notConnected }
        try await podd.report(use)
      }
      let requests = RequestReports { [weak self] report throws(BusError) in
        guard let podd = self?.podd else { throw Self.notConnected }
        try await podd.report(report)
      }
      admissions.onStream = { uses.began($0) }
      (self.uses, self.requests) = (uses, requests)
      let gatekeeper = Gatekeeper(placements: placements, admissions: admissions)
      (self.placements, self.admissions, self.gatekeeper) = (placements, admissions, gatekeeper)
      try connect(placements, admissions, connections)
      readFiles(gatekeeper, admissions)
      figures.now = {
        GateFigures.Now(
          streams: admissions.streamCount, users: placements.count, tokens: gatekeeper.tokens.count,
          tokensVerified: gatekeeper.tokens.verified, tokensFound: gatekeeper.tokens.found)
      }
      server = try AuthServer(listener: listener, figures: figures) { gatekeeper.judge($0, $1) }
      log = try AccessLog(socket: datagrams) { line in
        guard let request = admissions.close(line.ticket) else { return }
        uses.ended(request)
        requests.ended(request, after: line.time)
      }
    } catch {
      throw Unfit(message: error.description)
    }
    Notify.send("READY=1")
  }

  private static let notConnected = BusError(
    name: "org.freedesktop.DBus.Error.Disconnected", message: "podgate is not connected")

  /// In the unit's RuntimeDirectory=, which is kept while podgate does not run.
  private static func streamFile() -> StreamFile? {
    guard let directory = getenv("RUNTIME_DIRECTORY") else { return nil }
    do throws(Errno) {
      return try StreamFile("\(String(cString: directory))/streams")
    } catch {
      GateLog.error("The streams that were open before are not known: \(error)")
      return nil
    }
  }

  private func connect(
    _ placements: Placements, _ admissions: Admissions, _ connections: ClientConnections
  ) throws(Errno) {
    do throws(BusError) {
      podd = try PoddLink(
        PoddLink.Handlers(
          userChanged: { change in
            placements.changed(change.user)
            admissions.end(ofUser: change.user, unlessAt: change.status == "active" ? change.pod : nil)
          },
          podStateChanged: { placements.changed($0) },
          everythingChanged: { placements.everythingChanged() },
          appeared: {
            placements.canAsk()
            connections.canClose()
            self.requests?.poddAppeared()
            self.lookAtStreams(placements, admissions)
          }))
    } catch {
      throw Errno(error.code, "connect to the system bus")
    }
  }

  /// podd may have said that users have lost access while nobody heard it. One after the other, because requests ask podd
  /// too.
  private func lookAtStreams(_ placements: Placements, _ admissions: Admissions) {
    look += 1
    let look = look
    loopTask {
      await admissions.dropGone()
      for user in admissions.usersOfStreams where look == self.look {
        await withCheckedContinuation { continuation in
          placements.find(user, forWriting: false) { standing in
            switch standing {
            case .active(let place): admissions.end(ofUser: user, unlessAt: place.pod.name)
            case .suspended, .unknown: admissions.end(ofUser: user, unlessAt: nil)
            case nil: break
            }
            continuation.resume()
          }
        }
      }
    }
  }

  // MARK: Settings

  /// sd_notify(3): RELOADING=1 with the time, then READY=1, also when the reload failed.
  private func reload() {
    guard let gatekeeper, let admissions else { return }
    Notify.send("RELOADING=1\nMONOTONIC_USEC=\(Clock.loop.sinceBoot.count)")
    readFiles(gatekeeper, admissions)
    Notify.send("READY=1")
  }

  private func readFiles(_ gatekeeper: Gatekeeper, _ admissions: Admissions) {
    do throws(GateConfiguration.Failure) {
      let read = try GateConfiguration.read()
      for note in read.notes { GateLog.warning(note) }
      gatekeeper.configuration = read
      admissions.end { read.verifier.keys.holds($0) }
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

  /// podd is told once more who has used the front door. A second signal does not wait for that.
  private func stop() {
    Notify.send("STOPPING=1")
    guard let uses, let requests, !isStopping else { return EventLoop.main.exit(0) }
    isStopping = true
    loopTask {
      await uses.flush()
      await requests.flush()
      EventLoop.main.exit(0)
    }
  }
}
