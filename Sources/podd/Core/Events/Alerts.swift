import PodAPI
import PodModel
import Systemd
import Time

/// Starts `podctl-alert@KIND.service` on an event, where there is such a unit (podctl-alert(7)). A failure of
/// the service is logged and affects nothing else.
@LoopActor
final class Alerts {
  private let systemd: SystemdConnection
  private lazy var hooks = AlertKind.allCases.map { AlertHook($0, systemd) }

  init(_ systemd: SystemdConnection) {
    self.systemd = systemd
  }

  /// Hands over alerts that still wait, because an earlier podd left them behind or the bus was away.
  func start() {
    for hook in hooks { hook.start() }
  }

  /// Writes the event's journal entry and raises its alert. Returns at once.
  func report(_ event: PodEvent) {
    event.log()
    if let kind = event.alert {
      raise(kind, [(JournalField.message.rawValue, event.sentence)] + event.fields.named)
    }
  }

  /// `fields` are those of the event's journal entry, and `MESSAGE`.
  private func raise(_ kind: AlertKind, _ fields: [(String, String)]) {
    hooks.first { $0.kind == kind }?.raise(Alert(kind, time: Clock.wall, host: Host.name, fields: fields))
  }
}

/// The service of one kind of alert. One start handles all alerts that wait; alerts that come meanwhile need
/// another.
@LoopActor
private final class AlertHook {
  /// How long it is remembered whether the unit exists, and the shortest time between two starts.
  private static let answerHolds: Microseconds = .seconds(5)
  private static let pause: Microseconds = .seconds(1)
  /// How long an alert waits so that supervision comes first.
  private static let politeness: Microseconds = .milliseconds(250)

  let kind: AlertKind
  private let unit: String
  private let spool: AlertSpool
  private let systemd: SystemdConnection
  /// Turned into text only when their turn comes, because a launch may be waiting for the loop.
  private var raised: [Alert] = []
  private var isSpooling = false
  private var isRunning = false
  private var hasMore = false
  private var answer: (isThere: Bool, at: LoopTime)?
  /// The failures that were logged and have not passed.
  private var complaints: Set<Complaint> = []

  private enum Complaint {
    case full, spool, unit
  }

  init(_ kind: AlertKind, _ systemd: SystemdConnection) {
    self.kind = kind
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
      // PID 1 answers slowly.
      raised.removeFirst()
      complain(.full, full)
    }
    guard !isSpooling else { return }
    isSpooling = true
    loopTask {
      // PID 1 may have a pod to launch first.
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
        // Alerts that came meanwhile need another start, also after a failure. Alerts that the service left
        // wait for the next one.
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
      case .connectionLost, .unreported, .finished(.canceled):
        Log.debug("\(unit): its job ended with '\(end)'")
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
