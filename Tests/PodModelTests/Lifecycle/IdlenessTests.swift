import PodModel
import Testing
import Time
import TimeLiterals

@Suite struct IdlenessTests {
  private func at(_ seconds: UInt64) -> LoopTime { .zero + .seconds(seconds) }

  @Test func whatUsesNoCPUIsIdleSinceItWasFirstSeen() {
    var clock = Idleness(now: at(5))
    for at in stride(from: UInt64(5), through: 65, by: 10) {
      clock.note(cpu: Microseconds(1_000 + at * 100), connections: 0, now: self.at(at))
    }
    #expect(clock.activeAt == at(5))
  }

  @Test func aProbeEveryTenSecondsIsNoWork() {
    var clock = Idleness(now: 0)
    clock.note(cpu: 0, connections: nil, now: 0)
    clock.note(cpu: .milliseconds(20), connections: nil, now: at(10))
    #expect(clock.activeAt == 0)
  }

  @Test func workIsSeenByItsCPUTime() {
    var clock = Idleness(now: 0)
    clock.note(cpu: 0, connections: nil, now: 0)
    clock.note(cpu: .milliseconds(200), connections: nil, now: at(10))
    #expect(clock.activeAt == at(10))
  }

  @Test func anOpenConnectionIsWork() {
    var clock = Idleness(now: 0)
    clock.note(cpu: 0, connections: 0, now: 0)
    clock.note(cpu: 0, connections: 1, now: at(3))
    #expect(clock.activeAt == at(3))
  }

  @Test func twoLooksInQuickSuccessionDoNotMakeAProbeIntoWork() {
    var clock = Idleness(now: 0)
    clock.note(cpu: 0, connections: 0, now: 0)
    clock.note(cpu: .milliseconds(2), connections: 0, now: .zero + .milliseconds(10))
    #expect(clock.activeAt == 0)
  }

  @Test func aRequestThatEndedBetweenTwoLooksCounts() {
    var clock = Idleness(now: 0)
    clock.note(usedAt: at(40))
    #expect(clock.activeAt == at(40))
    clock.note(usedAt: at(20))
    #expect(clock.activeAt == at(40))
  }

  @Test func whatCannotBeReadOrRunsBackwardsSaysNothing() {
    var clock = Idleness(now: 0)
    clock.note(cpu: .milliseconds(900), connections: nil, now: at(1))
    clock.note(cpu: nil, connections: nil, now: at(2))
    clock.note(cpu: 10, connections: nil, now: at(3))
    #expect(clock.activeAt == 0)
  }

  @Test func workOfItsOwnIsNoUse() {
    var clock = Idleness(now: 0)
    clock.note(cpu: 0, connections: 0, now: 0)
    clock.note(cpu: .seconds(5), connections: 0, now: at(10))
    #expect(clock.activeAt == at(10) && clock.usedAt == 0)
    clock.note(cpu: nil, connections: 1, now: at(20))
    #expect(clock.usedAt == at(20))
    clock.note(cpu: nil, connections: nil, now: at(30))
    #expect(clock.usedAt == at(20), "nobody has counted")
    clock.note(cpu: nil, connections: 0, now: at(40))
    clock.note(usedAt: at(35))
    #expect(clock.usedAt == at(35))
    clock.note(usedAt: at(50))
    #expect(clock.usedAt == at(50))
  }
}
