import PodModel
import Testing
import Time
import TimeLiterals

@Suite struct IdlePolicyTests {
  private func at(_ seconds: UInt64) -> LoopTime { .zero + .seconds(seconds) }
  private let both = IdlePolicy(freezeAfter: .seconds(10), stopAfter: .seconds(60))

  @Test func anUnusedPodIsFrozenAndThenStopped() {
    let idle = Idleness(now: at(100))
    #expect(both.due(.ready, idle, now: at(109)) == nil)
    #expect(both.due(.ready, idle, now: at(110)) == .freeze)
    #expect(both.due(.frozen, idle, now: at(159)) == nil)
    #expect(both.due(.frozen, idle, now: at(160)) == .stop)
    #expect(both.due(.ready, idle, now: at(160)) == .stop, "podd looked late")
    #expect(both.next(.ready, usedAt: at(100)).map { $0 == (.freeze, at(110)) } == true)
    #expect(both.next(.frozen, usedAt: at(100)).map { $0 == (.stop, at(160)) } == true)
  }

  @Test func whoIsInUseStays() {
    var idle = Idleness(now: at(0))
    idle.note(cpu: nil, connections: 1, now: at(10_000))
    for state in PodState.allCases { #expect(both.due(state, idle, now: at(10_000)) == nil) }
  }

  @Test func eachOfTheTimesMayBeOff() {
    let idle = Idleness(now: at(0))
    let never = IdlePolicy(freezeAfter: .zero, stopAfter: .zero)
    let freezes = IdlePolicy(freezeAfter: .seconds(10), stopAfter: .zero)
    let stops = IdlePolicy(freezeAfter: .zero, stopAfter: .seconds(60))
    for state in PodState.allCases { #expect(never.next(state, usedAt: at(0)) == nil) }
    #expect(freezes.due(.ready, idle, now: at(10_000)) == .freeze)
    #expect(freezes.due(.frozen, idle, now: at(10_000)) == nil)
    #expect(stops.due(.ready, idle, now: at(59)) == nil)
    #expect(stops.due(.ready, idle, now: at(60)) == .stop)
    #expect(stops.due(.frozen, idle, now: at(60)) == .stop, "an operator froze it")
  }

  @Test func onlyWhatRunsSleeps() {
    for state in PodState.allCases where state != .ready && state != .frozen {
      #expect(both.due(state, Idleness(now: at(0)), now: at(10_000)) == nil)
    }
  }
}
