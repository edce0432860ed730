import Foundation
import PodModel
import Testing
import TimeLiterals

/// The table of a generation in docs/lifecycle.md is the machine: every row does what it says, and what has no row
/// does nothing.
///
/// After a change, `LIFECYCLE_TABLE=1 swift test --filter GenerationTableTests` prints the new table, to be read before
/// it is put there.
@Suite struct GenerationTableTests {
  /// The current generation of a pod in each phase, reached as podd would reach it.
  static let situations: [(name: String, pod: PodMachine)] = {
    var driver = MachineDriver()
    driver.send(.pod(.start))
    var found = [("waiting, stray scopes", driver.machine)]
    let traits = GenerationLife.Traits(handover: .queue)
    let steps: [(String, [GenerationLife.Event])] = [
      ("waiting, turn", [.strayScopesGone(next: .queue)]), ("beginning", [.turn(traits)]),
      ("beginning, written", [.written(MachineDriver.unit(1))]), ("opening firewall", [.parked]),
      ("starting scope", [.firewallOpened]), ("verifying limits", [.scopeStarted]),
      ("releasing", [.limitsVerified]), ("running", [.programRuns]), ("running, ready", [.ready]),
      ("ending", [.mainProcessEnded(mayBeInherited: false)]),
      ("ending, leftovers", [.evidence(MachineDriver.crash, scopeIsEmpty: false)]),
    ]
    for (name, events) in steps {
      if name == "opening firewall" {
        var parked = MachineDriver()
        parked.machine = found[2].1
        parked.current(.parked)
        found.append(("beginning, parked", parked.machine))
      }
      for event in events { driver.current(event) }
      found.append((name, driver.machine))
    }
    func add(_ name: String, _ earlier: String, _ body: (inout MachineDriver) -> Void) {
      var driver = MachineDriver()
      for (name, pod) in found where name == earlier { driver.machine = pod }
      body(&driver)
      found.append((name, driver.machine))
    }
    let stop = PodMachine.Event.stopGracefully(.operator, then: .stopped)
    add("abandoning", "starting scope") { $0.current(MachineDriver.failure(.scope)) }
    add("beginning, cancelled", "beginning") { $0.send(stop) }
    add("starting scope, cancelled", "starting scope") { $0.send(stop) }
    add("releasing, cancelled", "releasing") { $0.send(stop) }
    add("abandoning, cancelled", "abandoning") { $0.send(stop) }
    add("running, stopping", "running, ready") { $0.send(stop) }
    add("seeking heir", "running, ready") { $0.current(.mainProcessEnded(mayBeInherited: true)) }
    add("seeking heir, stopping", "seeking heir") { $0.send(stop) }
    return found
  }()

  static let events: [(name: String, event: GenerationLife.Event)] = [
    ("stray scopes gone", .strayScopesGone(next: .queue)),
    ("turn", .turn(GenerationLife.Traits(handover: .queue))), ("turn, no settings", .turn(nil)),
    ("written", .written(MachineDriver.unit(1))), ("written, another one", .written(MachineDriver.unit(2))),
    ("parked", .parked), ("firewall opened", .firewallOpened), ("scope started", .scopeStarted),
    ("limits verified", .limitsVerified), ("program runs", .programRuns),
    ("failed, store", MachineDriver.failure(.store)), ("failed", MachineDriver.failure(.exec)),
    ("abandoned", .abandoned), ("cancelled", .cancelled), ("start timeout", .startTimeout), ("ready", .ready),
    ("readiness recorded", .readinessRecorded), ("unhealthy", .unhealthy(.health)), ("drained", .drained),
    ("frozen", .frozen), ("thawed", .thawed),
    ("main process ended", .mainProcessEnded(mayBeInherited: false)),
    ("main process ended, workers live", .mainProcessEnded(mayBeInherited: true)),
    ("scope is active", .scopeIsActive(true)), ("scope is not active", .scopeIsActive(false)),
    ("inherited", .inherited(true)), ("not inherited", .inherited(false)),
    ("evidence, scope empty", .evidence(MachineDriver.crash, scopeIsEmpty: true)),
    ("evidence, others live", .evidence(MachineDriver.crash, scopeIsEmpty: false)),
    ("scope empty", .scopeEmpty),
  ]

  /// Nil: nothing changes. What the pod makes of it is in the other table, but for its state.
  static func outcome(_ pod: PodMachine, _ event: PodMachine.Event) -> (next: String, effects: String)? {
    var driver = MachineDriver()
    driver.machine = pod
    driver.now = 1_000
    driver.send(event)
    if driver.machine == pod && driver.effects.isEmpty { return nil }
    let life = driver.machine.current
    let next = life.map { describe($0) } ?? "gone"
    return (next, driver.effects(of: pod.current?.id).map(describe).joined(separator: ", "))
  }

  static func describe(_ life: GenerationLife) -> String {
    let phase: String =
      switch life.phase {
      case .waiting(.strayScopes): "waiting, stray scopes"
      case .waiting(.room): "waiting, room"
      case .waiting(.turn): "waiting, turn"
      case .beginning(let beginning): "beginning" + beginning.suffix
      case .ending(nil): "ending"
      case .ending: "ending, leftovers"
      case .running where life.isStopping: "running, stopping"
      case .running: life.readiness == .serving ? "running, ready" : "running"
      case .seekingHeir where life.isStopping: "seeking heir, stopping"
      case .abandoning: "abandoning"
      default: words(String(describing: life.phase))
      }
    return phase + (life.isCancelled && !life.hasScope ? ", cancelled" : "")
  }

  static func describe(_ effect: GenerationLife.Effect) -> String {
    switch effect {
    case .armStartTimeout(.beforeScope): "arm start timeout"
    case .armStartTimeout(.ofWorkload): "arm start timeout of workload"
    case .recordReadiness(let isAwaited): isAwaited ? "record readiness and wait" : "record readiness"
    case .abandon(let hasScope): hasScope ? "abandon with scope" : "abandon"
    case .stopUnit(let isHung): isHung ? "stop hung unit" : "stop unit"
    case .recordStop(let record): "record stop \(record.cause)"
    case .recordEnd(_, let reason, _): "record end \(reason)"
    case .reportLaunchFailure(let failure): "report \(failure.reason)"
    default: words(String(describing: effect).prefix { $0 != "(" })
    }
  }

  private static func words(_ text: some StringProtocol) -> String {
    text.reduce(into: "") { $0 += $1.isUppercase ? " " + $1.lowercased() : String($1) }
  }

  static func rows() -> [String] {
    let stop = PodMachine.Event.stopGracefully(.operator, then: .stopped)
    return situations.flatMap { name, pod in
      let events = self.events.compactMap { event in
        pod.current.map { (event.name, PodMachine.Event.generation($0.id, event.event)) }
      }
      return (events + [("stop", stop)]).compactMap { event, value in
        // Said once, above the table.
        let isLate = event.hasPrefix("turn") && name != "waiting, turn"
        return isLate
          ? nil : outcome(pod, value).map { "| \(name) | \(event) | \($0.next) | \($0.effects) |" }
      }
    }
  }

  @Test func theDocumentedTableIsTheMachine() throws {
    let actual = Self.rows()
    if ProcessInfo.processInfo.environment["LIFECYCLE_TABLE"] != nil {
      print(actual.joined(separator: "\n"))
    }
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../../docs/lifecycle.md")
    let text = try String(contentsOf: file, encoding: .utf8)
    let documented = text.split(separator: "\n").map(String.init).filter { line in
      Self.situations.contains { line.hasPrefix("| \($0.name) |") }
    }
    for row in actual where !documented.contains(row) { Issue.record("docs/lifecycle.md lacks \(row)") }
    for row in documented where !actual.contains(row) { Issue.record("the machine does not do \(row)") }
  }

  @Test func aTurnThatComesTooLateIsGivenBack() {
    for (name, pod) in Self.situations where name != "waiting, turn" {
      var driver = MachineDriver()
      driver.machine = pod
      driver.current(.turn(nil))
      #expect(driver.ofGenerations == [.endTurn] && driver.machine == pod, "\(name)")
    }
  }

  @Test func everySituationIsWhatItsNameSays() {
    for (name, pod) in Self.situations { #expect(pod.current.map(Self.describe) == name) }
  }
}

extension GenerationLife.Beginning {
  fileprivate var suffix: String {
    switch (isWritten, isParked) {
    case (false, false): ""
    case (true, _): ", written"
    case (false, true): ", parked"
    }
  }
}
