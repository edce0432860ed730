import PodModel
import Testing
import Time
import TimeLiterals

@testable import PoddCore

/// Why a pod is in its state and what comes next, for every state that there is.
@Suite struct PodOutlookTests {
  private static let since = WallTime.epoch + .seconds(1000)

  private func outlook(
    _ events: Lifecycle.Event..., wanted: Lifecycle.Wanted = .cold, startLimitHit: Bool = false,
    lastEnd: EndReason? = nil, users: Int = 1, activeUsers: Int? = nil, wakesOnConnect: Bool = false,
    isProbed: Bool = false, idle: (act: IdlePolicy.Act, at: WallTime?)? = nil,
    workload: Workload? = nil
  ) -> PodOutlook {
    var lifecycle = Lifecycle(
      wanted: wanted, startLimitHit: startLimitHit, lastEnd: lastEnd, restarts: 0, now: 0)
    for event in events { _ = lifecycle.handle(event, now: 0, random: 0, policy: Lifecycle.Policy()) }
    return PodOutlook(
      name: PodName(number: 1), lifecycle: lifecycle, users: users, activeUsers: activeUsers ?? users,
      wakesOnConnect: wakesOnConnect,
      isProbed: isProbed, idle: idle, since: Self.since, backoffUntil: Self.since + 5, workload: workload,
      otherUnit: UnitName(pod: PodName(number: 1), generation: 2), otherWorkload: workload,
      otherBegunAt: Self.since + 7, startLimitBurst: 5)
  }

  private let workload: Workload = {
    var workload = Workload(name: "app")
    workload.timeoutStart = 10
    workload.timeoutStop = 20
    workload.timeoutDrain = 30
    return workload
  }()

  @Test func aColdPodWaitsForAUserOrAConnection() {
    #expect(outlook(users: 0).reason == "it has no users")
    #expect(outlook(users: 2, activeUsers: 0).reason.hasPrefix("all its users are suspended"))
    #expect(outlook().reason.hasPrefix("nobody has needed it yet"))
    #expect(outlook(lastEnd: .pressure).reason.hasPrefix("stopped to give its memory to others"))
    #expect(outlook(lastEnd: .operator).reason.hasPrefix("stopped; the next connection"))
    #expect(outlook().next.sentence == "it is launched when a user needs it")
    #expect(outlook(wakesOnConnect: true).next.sentence == "a connection launches it")
    #expect(outlook().next.at == nil)
  }

  @Test func aPodThatNobodyUsesSleepsAtItsTime() {
    let at = Self.since + 60
    let used = outlook(.start, .ready(of: .current), isProbed: true, idle: (.freeze, nil)).next
    #expect(used.sentence == "it is frozen when nobody has had a connection to it for long enough")
    #expect(used.at == nil)
    let unused = outlook(.start, .ready(of: .current), isProbed: true, idle: (.stop, at)).next
    #expect(unused.sentence == "it is stopped, unless somebody connects" && unused.at == at)
    let frozen = outlook(.start, .ready(of: .current), .frozen, idle: (.stop, at)).next
    #expect(frozen.sentence.hasPrefix("it is stopped, unless a connection") && frozen.at == at)
    let keptFrozen = outlook(.start, .ready(of: .current), .frozen, idle: (.stop, nil)).next
    #expect(keptFrozen.sentence.hasPrefix("a connection or 'podctl thaw") && keptFrozen.at == nil)
    #expect(outlook(lastEnd: .idle).reason.hasPrefix("stopped because nobody used it"))
  }

  @Test func aPodThatIsNotLaunchedNamesTheCommand() {
    #expect(outlook(wanted: .stopped).reason == "stopped by hand")
    #expect(outlook(wanted: .stopped).next.sentence == "it stays stopped until 'podctl start pod-001'")
    #expect(outlook(startLimitHit: true).reason == "ended 5 times within the start limit's interval")
    #expect(outlook(startLimitHit: true).next.sentence == "it is not launched until 'podctl reset pod-001'")
  }

  @Test func aStartHasADeadline() {
    let starting = outlook(.start, workload: workload)
    #expect(starting.reason.isEmpty)
    #expect(starting.next.at == Self.since + 10)
    #expect(outlook(.start).next.at == nil)
  }

  @Test func aPodThatTheHostCannotLaunchSaysWhatIsMissing() {
    let waiting = outlook(.start, .launchFailed(.launchFailed(stage: .users, error: "ENOSPC")))
    #expect(
      waiting.reason
        == "the host could not launch it: there is no room left where podd writes (users: ENOSPC); podd tries again."
        + " Make room: df -h /run /var/lib/podctl and df -i /run /var/lib/podctl show which of them is full")
  }

  @Test func aReadyPodWaitsForItsProbeOrForNothing() {
    #expect(outlook(.start, .ready(of: .current)).reason.isEmpty)
    #expect(outlook(.start, .ready(of: .current)).next.sentence == "none")
    #expect(outlook(.start, .ready(of: .current), isProbed: true).next.sentence == "it is probed")
  }

  @Test func aHandoverNamesTheOtherGeneration() {
    let successor = outlook(
      .start, .ready(of: .current), .restart(.operator, .overlap), workload: workload)
    #expect(successor.reason == "its successor pod-001-2.scope is being launched")
    #expect(successor.next.at == Self.since + 7 + 10)
    let failing = outlook(
      .start, .ready(of: .current), .restart(.operator, .overlap), .startTimeout(of: .other))
    #expect(failing.reason == "its successor did not become ready and is being stopped")
    let predecessor = outlook(
      .start, .ready(of: .current), .restart(.operator, .overlap), .ready(of: .other))
    #expect(predecessor.reason == "its predecessor pod-001-2.scope finishes its requests")
    #expect(predecessor.next.sentence == "its predecessor ends, or is killed")
  }

  @Test func aStopSaysWhyAndUntilWhen() {
    let draining = outlook(
      .start, .ready(of: .current), .stop(.pressure, then: .cold, drains: true), workload: workload)
    #expect(draining.reason == "podd waits until its connections end, and then stops it (pressure)")
    #expect(draining.next.at == Self.since + 30)
    let stopping = outlook(.start, .ready(of: .current), .stop(.operator, then: .cold), workload: workload)
    #expect(stopping.reason == "being stopped (operator)")
    #expect(stopping.next.at == Self.since + 20)
    var patient = workload
    patient.timeoutStop = .infinity
    let endless = outlook(.start, .ready(of: .current), .stop(.operator, then: .cold), workload: patient)
    #expect(endless.next.at == nil)
  }

  @Test func aFrozenPodIsThawedByAConnection() {
    let frozen = outlook(.start, .ready(of: .current), .frozen)
    #expect(frozen.lifecycle.state == .frozen)
    #expect(frozen.reason.contains("podctl thaw pod-001"))
    #expect(frozen.next.sentence == "a connection or 'podctl thaw pod-001' thaws it")
  }

  @Test func aBackoffNamesTheEndAndItsTime() {
    let backoff = outlook(.start, .ready(of: .current), .ended(.signal("SEGV")), wanted: .run)
    #expect(backoff.lifecycle.state == .backoff)
    #expect(backoff.reason == "podd waits before it launches it again, after signal:SEGV")
    #expect(backoff.next.at == Self.since + 5)
  }
}
