import PodModel
import Systemd
import Testing
import Time

@testable import PoddCore

@Suite struct PodEventTests {
  private static let pod = PodName(number: 1)
  private static let unit = UnitName(pod: pod, generation: 3)
  private let subject = PodEvent.Subject(pod: pod, tier: "free", state: .ready, generation: 3)

  private func text(_ event: PodEvent) -> String {
    event.fields.named.map { "\($0.0)=\($0.1)" }.joined(separator: " ")
  }

  @Test func `an end that nobody wanted is a warning and an alert`() {
    let event = PodEvent.ended(subject, unit: Self.unit, reason: .signal("SEGV"), evidence: nil)
    #expect(event.sentence == "pod-001-3.scope ended: signal:SEGV.")
    #expect(event.id == .podEnded && event.priority == .warning && event.alert == .end)
    #expect(
      text(event)
        == "POD=pod-001 POD_TIER=free POD_STATE=ready POD_GENERATION=3 POD_REASON=signal:SEGV "
        + "POD_UNIT=pod-001-3.scope")
    let wanted = PodEvent.ended(subject, unit: Self.unit, reason: .operator, evidence: nil)
    #expect(wanted.priority == .info && wanted.alert == nil)
  }

  @Test func `a launch that failed names its reason and its alert`() {
    let reason = EndReason.unknownAdopted
    let event = PodEvent.launchFailed(subject, unit: nil, reason: reason, stage: .limits)
    #expect(event.sentence == "pod-001 could not be launched: \(reason)")
    #expect(event.alert == .limitsMismatch && event.priority == .error)
    #expect(
      PodEvent.launchFailed(subject, unit: nil, reason: reason, stage: .scope).alert == .launchFailed)
  }

  @Test func `a sentence counts what it names`() {
    let one = PodEvent.drainCut(subject, connections: 1, after: .seconds(30))
    #expect(one.sentence == "pod-001 had 1 connection left after 30.0 s, which are cut.")
    #expect(text(one).hasSuffix("POD_CONNECTIONS=1"))
    var rollout = Rollout(tier: "free", pods: (1...5).map(PodName.init(number:)))
    for _ in 0..<2 { rollout.countReplaced() }
    let stopped = PodEvent.rolloutStopped(rollout, Rollout.Stop(pod: Self.pod, why: "no"))
    #expect(stopped.sentence == "The rollout of tier free stopped at pod-001 after 2 of 5 pods: no.")
  }

  @Test func `no two journal fields have one name`() {
    #expect(Set(JournalField.allCases.map(\.rawValue)).count == JournalField.allCases.count)
  }
}
