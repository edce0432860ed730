import PodAPI
import PodModel
import Systemd

/// Runs what an admin wants run on an event: `podctl-alert@KIND.service`, where there is such a unit
/// (podctl-alert(7)). Whatever goes wrong with that concerns nobody but its admin.
@LoopActor
final class Alerts {
  private let systemd: SystemdConnection
  private lazy var hooks = Dictionary(
    uniqueKeysWithValues: AlertKind.allCases.map { ($0, AlertHook($0, systemd)) })

  init(_ systemd: SystemdConnection) {
    self.systemd = systemd
  }

  /// Has what waits handed over: an earlier podd left it behind, or the bus went away.
  func start() {
    for hook in hooks.values { hook.start() }
  }

  /// Returns at once. `fields` are those of the event's journal entry, and `MESSAGE`.
  func raise(_ kind: AlertKind, _ fields: [(String, String)]) {
    hooks[kind]?.raise(Alert(kind, time: realtimeNow(), host: Host.name, fields: fields))
  }
}

/// One kind's service. It is started once for all that waits, and again for what came meanwhile.
@LoopActor
private final class AlertHook {
  /// How long an answer about the unit holds, and the least between two starts; microseconds.
  private static let answerHolds: UInt64 = 5_000_000
  private static let pause: UInt64 = 1_000_000
  /// How long an alert waits for what supervision has to do, microseconds.
  private static let politeness: UInt64 = 250_000

  private let unit: String
  private let spool: AlertSpool
  private let systemd: SystemdConnection
  /// Worded when their turn comes: a launch may be waiting for the loop.
  private var raised: [Alert] = []
  private var isSpooling = false
  private var isRunning = false
  private var hasMore = false
  private var answer: (isThere: Bool, at: UInt64)?
  /// What was complained of, until it is well again.
  private var complaints: Set<Complaint> = []

  private enum Complaint {
    case full, spool, unit
  }

  init(_ kind: AlertKind, _ systemd: SystemdConnection) {
    unit = kind.unit
    spool = AlertSpool(kind)
    self.systemd = systemd
  }

  func start() {
    guard !spool.isEmpty else { return }
    loopTask {
      guard await self.unitIsThere() else { return }
      self.hasMore = true
      self.run()
    }
  }

  func raise(_ alert: Alert) {
    raised.append(alert)
    if raised.count > AlertSpool.limit {
      // PID 1 is slow to answer.
      raised.removeFirst()
      complain(.full, full)
    }
    guard !isSpooling else { return }
    isSpooling = true
    loopTask {
      // PID 1 has a pod to launch first.
      await EventLoop.main.sleep(Self.politeness)
      while !self.raised.isEmpty {
        let isThere = await self.unitIsThere()
        let alerts = self.raised
        self.raised = []
        if isThere { self.add(alerts.map(\.text)) }
      }
      self.isSpooling = false
      self.run()
    }
  }

  private var full: String {
    "More than \(AlertSpool.limit) alerts wait for \(unit); the oldest are dropped."
  }

  private func add(_ texts: [String]) {
    do throws(Errno) {
      let dropped = try spool.add(texts)
      hasMore = true
      complaints.remove(.spool)
      if dropped == 0 {
        complaints.remove(.full)
      } else {
        complain(.full, full)
      }
    } catch {
      complain(.spool, "Cannot hand an alert to \(unit), ignoring: \(error)")
    }
  }

  private func run() {
    guard hasMore, !isRunning else { return }
    isRunning = true
    loopTask {
      while self.hasMore {
        self.hasMore = false
        // Also after a failure, but only for what came since: what it left waits for the next alert.
        await self.startUnit()
        if self.hasMore { await EventLoop.main.sleep(Self.pause) }
      }
      self.isRunning = false
    }
  }

  private func unitIsThere() async -> Bool {
    if let answer, EventLoop.main.now() < answer.at + Self.answerHolds { return answer.isThere }
    do throws(BusError) {
      let isThere = try await systemd.manager.loadState(unit)?.isThere ?? true
      answer = (isThere, EventLoop.main.now())
      return isThere
    } catch {
      Log.debug("\(unit): \(error.message); its alerts are dropped")
      return false
    }
  }

  private func startUnit() async {
    do throws(BusError) {
      let end = try await systemd.manager.startUnit(unit)
      switch end {
      case .finished(.done): complaints.remove(.unit)
      // Cancelled: somebody stopped the service.
      case .connectionLost, .finished(.canceled): Log.debug("\(unit): its job ended with '\(end)'")
      case .finished(let result):
        complain(.unit, "\(unit) did not handle its alerts (\(result)); see 'systemctl status \(unit)'.")
      }
    } catch {
      if error.isUnreachable {
        Log.debug("\(unit): \(error.message)")
      } else {
        complain(.unit, "Cannot start \(unit), ignoring: \(error.message)")
      }
    }
  }

  private func complain(_ complaint: Complaint, _ text: String) {
    if complaints.insert(complaint).inserted { Log.warning(text) } else { Log.debug(text) }
  }
}
