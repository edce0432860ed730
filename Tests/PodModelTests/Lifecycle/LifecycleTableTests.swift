import Foundation
import PodModel
import Testing
import Time
import TimeLiterals

/// The table in docs/lifecycle.md is the machine: every row does what it says, and what has no row does nothing.
///
/// After a change, `LIFECYCLE_TABLE=1 swift test --filter LifecycleTableTests` prints the new table, to be read
/// before it is put there.
@Suite struct LifecycleTableTests {
  static let crash = EndReason.exited(1)

  /// A pod in each situation that the table knows, reached as podd would reach it.
  static let situations: [(name: String, pod: Lifecycle)] = [
    ("cold", LifecycleDriver(wanted: .cold).pod),
    ("stopped", LifecycleDriver(wanted: .stopped).pod),
    ("starting", LifecycleDriver(.start).pod),
    ("ready", LifecycleDriver(.start, .ready).pod),
    ("ready, successor", LifecycleDriver(.start, .ready, .restart(.operator, .overlap)).pod),
    (
      "ready, failing",
      LifecycleDriver(.start, .ready, .restart(.operator, .overlap), .startTimeout(of: .other)).pod
    ),
    (
      "ready, predecessor",
      LifecycleDriver(.start, .ready, .restart(.operator, .overlap), .ready(of: .other)).pod
    ),
    ("draining", LifecycleDriver(.start, .ready, .restart(.operator, .drain)).pod),
    ("stopping", LifecycleDriver(.start, .ready, .restart(.operator, .queue)).pod),
    (
      "stopping, predecessor",
      LifecycleDriver(
        .start, .ready, .restart(.operator, .overlap), .ready(of: .other), .stop(.operator, then: .cold),
        .ended(crash)
      ).pod
    ),
    ("frozen", LifecycleDriver(.start, .ready, .frozen).pod),
    ("backoff", LifecycleDriver(.start, .ended(crash)).pod),
    ("crash-loop", LifecycleDriver(wanted: .run, startLimitHit: true).pod),
  ]

  static let events: [(name: String, event: Lifecycle.Event)] = [
    ("start", .start), ("launch failed", .launchFailed(crash)), ("ready", .ready), ("ended", .ended(crash)),
    ("start timeout", .startTimeout), ("failed", .failed(.health)),
    ("stop", .stop(.operator, then: .stopped)),
    ("stop, draining", .stop(.operator, then: .stopped, drains: true)),
    ("restart, overlap", .restart(.operator, .overlap)), ("restart, queue", .restart(.operator, .queue)),
    ("restart, drain", .restart(.operator, .drain)), ("drained", .drained),
    ("backoff elapsed", .backoffElapsed), ("reset", .reset), ("freeze", .freeze), ("frozen", .frozen),
    ("thawed", .thawed), ("successor ready", .ready(of: .other)),
    ("successor timeout", .startTimeout(of: .other)),
    ("successor may not overlap", .successorMayNotOverlap),
    ("second ended", .ended(crash, of: .other)),
  ]

  /// What one event makes of one situation, as a row has it: the next situation and the effects.
  static func outcome(_ pod: Lifecycle, _ event: Lifecycle.Event) -> (next: String, effects: String)? {
    var after = pod
    let effects = after.handle(event, now: 1_000, random: 0, policy: Lifecycle.Policy())
    if after == pod && effects.isEmpty { return nil }
    return (describe(after), effects.map(describe).joined(separator: ", "))
  }

  static func describe(_ pod: Lifecycle) -> String {
    let other: String? =
      switch pod.other {
      case .successor: "successor"
      case .failing: "failing"
      case .predecessor: "predecessor"
      case nil: nil
      }
    return pod.state.rawValue + (other.map { ", " + $0 } ?? "")
  }

  /// `recordEnd(exited:1)` as `record end exited:1`.
  static func describe(_ effect: Lifecycle.Effect) -> String {
    switch effect {
    case .recordEnd(let reason): "record end \(reason)"
    case .recordOtherEnd(let reason): "record other's end \(reason)"
    case .resolveFailed(let reason): "answer \(reason)"
    case .resolveReady: "answer ready"
    case .armBackoff: "arm backoff"
    case .persist(let wanted): "persist \(wanted.rawValue)"
    case .recordStartLimitHit(let isHit): isHit ? "record start limit hit" : "clear start limit hit"
    default:
      String(describing: effect).reduce(into: "") {
        $0 += $1.isUppercase ? " " + $1.lowercased() : String($1)
      }
    }
  }

  static func rows() -> [String] {
    situations.flatMap { situation in
      events.compactMap { event in
        outcome(situation.pod, event.event).map {
          "| \(situation.name) | \(event.name) | \($0.next) | \($0.effects) |"
        }
      }
    }
  }

  @Test func theDocumentedTableIsTheMachine() throws {
    if ProcessInfo.processInfo.environment["LIFECYCLE_TABLE"] != nil {
      print(Self.rows().joined(separator: "\n"))
    }
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../../docs/lifecycle.md")
    let text = try String(contentsOf: file, encoding: .utf8)
    let documented = text.split(separator: "\n").map(String.init).filter { line in
      Self.situations.contains { line.hasPrefix("| \($0.name) |") }
    }
    let actual = Self.rows()
    for row in actual where !documented.contains(row) { Issue.record("docs/lifecycle.md lacks \(row)") }
    for row in documented where !actual.contains(row) { Issue.record("the machine does not do \(row)") }
  }

  @Test func everySituationIsWhatItsNameSays() {
    for (name, pod) in Self.situations { #expect(Self.describe(pod) == name) }
  }

  @Test func everyEndIsRecordedByTheEventThatBringsIt() {
    for (name, pod) in Self.situations where pod.state.hasScope && name != "stopping, predecessor" {
      for event in [Lifecycle.Event.ended(Self.crash), .launchFailed(Self.crash)] {
        // Only a pod that is being launched, or stopped on its way, can fail to be launched.
        if case .launchFailed = event, pod.state != .starting && pod.state != .stopping { continue }
        var after = pod
        let effects = after.handle(event, now: 1_000, random: 0, policy: Lifecycle.Policy())
        let records = effects.filter { if case .recordEnd = $0 { true } else { false } }
        #expect(records.count == 1, "\(name) × \(event)")
      }
    }
  }

  @Test func aSecondGenerationsEndIsRecordedOnce() {
    for (name, pod) in Self.situations where pod.other != nil {
      var after = pod
      let first = after.handle(
        .ended(Self.crash, of: .other), now: 1_000, random: 0, policy: Lifecycle.Policy())
      #expect(first.contains { if case .recordOtherEnd = $0 { true } else { false } }, "\(name)")
      let second = after.handle(
        .ended(Self.crash, of: .other), now: 1_001, random: 0, policy: Lifecycle.Policy())
      #expect(second.isEmpty, "\(name)")
    }
  }
}

extension Lifecycle.Event {
  /// Of the current generation.
  static var ready: Self { .ready(of: .current) }
  static var startTimeout: Self { .startTimeout(of: .current) }
}

/// Feeds events to one pod, a microsecond apart unless another time is given, and keeps what came of the last.
struct LifecycleDriver {
  var pod: Lifecycle
  var policy = Lifecycle.Policy()
  var random = 0.0
  var now = LoopTime.zero
  private(set) var effects: [Lifecycle.Effect] = []

  init(wanted: Lifecycle.Wanted, startLimitHit: Bool = false) {
    pod = Lifecycle(wanted: wanted, startLimitHit: startLimitHit, lastEnd: nil, restarts: 0, now: .zero)
  }

  init(_ events: Lifecycle.Event...) {
    self.init(wanted: .cold)
    for event in events { send(event) }
  }

  mutating func send(_ event: Lifecycle.Event, after span: Microseconds = 1) {
    now += span
    effects = pod.handle(event, now: now, random: random, policy: policy)
  }

  /// The delay of the last event's backoff; nil when there was none.
  var backoff: Microseconds? {
    for case .armBackoff(let delay) in effects { return delay }
    return nil
  }
}
