import PodModel
import Testing

/// Every cell of the table in Lifecycle.swift: state × event → state and effects.
@Suite struct LifecycleTableTests {
  typealias State = Lifecycle
  typealias Event = Lifecycle.Event
  typealias Effect = Lifecycle.Effect

  static let crash = EndReason.exited(1)
  static let firstDelay = Lifecycle.Policy().firstDelay

  /// A pod in each state that the table knows, reached as podd would reach it.
  static func pod(in state: PodState) -> Lifecycle {
    switch state {
    case .cold: LifecycleDriver(wanted: .cold).pod
    case .stopped: LifecycleDriver(wanted: .stopped).pod
    case .crashLoop: LifecycleDriver(wanted: .run, crashLoop: true).pod
    case .starting: LifecycleDriver(.start).pod
    case .ready: LifecycleDriver(.start, .ready).pod
    case .stopping: LifecycleDriver(.start, .ready, .stop(.operator, then: .stopped)).pod
    case .backoff: LifecycleDriver(.start, .ended(crash)).pod
    case .draining, .frozen: preconditionFailure("no event leads to \(state) yet")
    }
  }

  static let states: [PodState] = [.cold, .stopped, .starting, .ready, .stopping, .backoff, .crashLoop]

  static let events: [Event] = [
    .start, .launchFailed(crash), .ready, .ended(crash), .startTimeout, .stop(.operator, then: .stopped),
    .restart(.operator), .backoffElapsed, .reset,
  ]

  struct Cell: Sendable {
    var state: PodState
    var event: Event
    var next: PodState
    var effects: [Effect]
  }

  static let launched: [Effect] = [.announce, .armStartTimeout, .launch]
  static let died: [Effect] = [.resolveFailed(crash), .armBackoff(firstDelay), .announce]

  /// The table's filled cells; every other one is empty.
  static let filled: [Cell] = [
    Cell(state: .cold, event: .start, next: .starting, effects: [.cancelTimer, .persist(.run)] + launched),
    Cell(
      state: .cold, event: .stop(.operator, then: .stopped), next: .stopped,
      effects: [.cancelTimer, .persist(.stopped), .announce]),
    Cell(
      state: .cold, event: .restart(.operator), next: .starting,
      effects: [.cancelTimer, .persist(.run)] + launched),

    Cell(
      state: .stopped, event: .start, next: .starting, effects: [.cancelTimer, .persist(.run)] + launched),
    Cell(
      state: .stopped, event: .restart(.operator), next: .starting,
      effects: [.cancelTimer, .persist(.run)] + launched),

    Cell(
      state: .starting, event: .launchFailed(crash), next: .backoff,
      effects: [.recordEnd(crash), .cancelTimer] + died),
    Cell(state: .starting, event: .ready, next: .ready, effects: [.cancelTimer, .resolveReady, .announce]),
    Cell(
      state: .starting, event: .ended(crash), next: .backoff,
      effects: [.recordEnd(crash), .cancelTimer] + died),
    Cell(
      state: .starting, event: .startTimeout, next: .stopping,
      effects: [.cancelTimer, .stopScope, .announce, .resolveFailed(.startTimeout)]),
    Cell(
      state: .starting, event: .stop(.operator, then: .stopped), next: .stopping,
      effects: [.cancelTimer, .stopScope, .announce, .resolveFailed(.operator), .persist(.stopped)]),

    Cell(state: .ready, event: .ended(crash), next: .backoff, effects: [.recordEnd(crash)] + died),
    Cell(
      state: .ready, event: .stop(.operator, then: .stopped), next: .stopping,
      effects: [.cancelTimer, .stopScope, .announce, .persist(.stopped)]),
    Cell(
      state: .ready, event: .restart(.operator), next: .stopping,
      effects: [.cancelTimer, .stopScope, .announce]),

    Cell(state: .stopping, event: .start, next: .stopping, effects: [.persist(.run)]),
    Cell(
      state: .stopping, event: .launchFailed(crash), next: .stopped,
      effects: [.recordEnd(.operator), .announce]),
    Cell(
      state: .stopping, event: .ended(crash), next: .stopped, effects: [.recordEnd(.operator), .announce]),
    Cell(state: .stopping, event: .restart(.operator), next: .stopping, effects: [.persist(.run)]),

    Cell(state: .backoff, event: .start, next: .starting, effects: [.cancelTimer] + launched),
    Cell(
      state: .backoff, event: .stop(.operator, then: .stopped), next: .stopped,
      effects: [.cancelTimer, .persist(.stopped), .announce]),
    Cell(state: .backoff, event: .restart(.operator), next: .starting, effects: [.cancelTimer] + launched),
    Cell(state: .backoff, event: .backoffElapsed, next: .starting, effects: launched),
    Cell(state: .backoff, event: .reset, next: .starting, effects: [.cancelTimer] + launched),

    Cell(
      state: .crashLoop, event: .stop(.operator, then: .stopped), next: .stopped,
      effects: [.cancelTimer, .holdCrashLoop(false), .persist(.stopped), .announce]),
    Cell(
      state: .crashLoop, event: .restart(.operator), next: .starting,
      effects: [.holdCrashLoop(false)] + launched),
    Cell(state: .crashLoop, event: .reset, next: .starting, effects: [.holdCrashLoop(false)] + launched),
  ]

  @Test(arguments: filled) func aFilledCellDoesWhatItSays(cell: Cell) {
    var pod = Self.pod(in: cell.state)
    let effects = pod.handle(cell.event, now: 1_000, random: 0, policy: Lifecycle.Policy())
    #expect(pod.state == cell.next)
    #expect(effects == cell.effects)
  }

  @Test(arguments: states) func anEmptyCellChangesNothing(state: PodState) {
    let fixture = Self.pod(in: state)
    #expect(fixture.state == state)
    for event in Self.events where !Self.filled.contains(where: { $0.state == state && $0.event == event }) {
      var pod = fixture
      let effects = pod.handle(event, now: 1_000, random: 0.5, policy: Lifecycle.Policy())
      // A second `stop` in `stopping` changes only what follows, and here to what it was.
      #expect(effects.isEmpty, "\(state) × \(event)")
      #expect(pod == fixture, "\(state) × \(event)")
    }
  }

  @Test func everyEndIsRecordedByTheEventThatBringsIt() {
    for state in Self.states where state.hasScope {
      for event in [Event.ended(Self.crash), .launchFailed(Self.crash)] {
        // A pod that is ready has been launched.
        if state == .ready, event == .launchFailed(Self.crash) { continue }
        var pod = Self.pod(in: state)
        let effects = pod.handle(event, now: 1_000, random: 0, policy: Lifecycle.Policy())
        let records = effects.filter { if case .recordEnd = $0 { true } else { false } }
        #expect(records.count == 1, "\(state) × \(event)")
        #expect(!pod.state.hasScope, "\(state) × \(event)")
      }
    }
  }
}

/// Feeds events to one pod, a microsecond apart unless told, and keeps what came of the last.
struct LifecycleDriver {
  var pod: Lifecycle
  var policy = Lifecycle.Policy()
  var random = 0.0
  var now: UInt64 = 0
  private(set) var effects: [Lifecycle.Effect] = []

  init(wanted: Lifecycle.Wanted, crashLoop: Bool = false) {
    pod = Lifecycle(wanted: wanted, crashLoop: crashLoop, lastEnd: nil, restarts: 0, now: 0)
  }

  init(_ events: Lifecycle.Event...) {
    self.init(wanted: .cold)
    for event in events { send(event) }
  }

  mutating func send(_ event: Lifecycle.Event, after microseconds: UInt64 = 1) {
    now += microseconds
    effects = pod.handle(event, now: now, random: random, policy: policy)
  }

  /// The delay of the last event's backoff; nil when there was none.
  var backoff: UInt64? {
    for case .armBackoff(let delay) in effects { return delay }
    return nil
  }
}
