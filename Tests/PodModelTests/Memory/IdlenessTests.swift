import PodModel
import Testing

@Suite struct IdlenessTests {
  private let second: UInt64 = 1_000_000

  @Test func whatUsesNoCPUIsIdleSinceItWasFirstSeen() {
    var clock = Idleness(now: 5 * second)
    for at in stride(from: UInt64(5), through: 65, by: 10) {
      clock.note(cpuUSec: 1_000 + at * 100, connections: 0, now: at * second)
    }
    #expect(clock.activeAt == 5 * second)
  }

  @Test func aProbeEveryTenSecondsIsNoWork() {
    var clock = Idleness(now: 0)
    clock.note(cpuUSec: 0, connections: nil, now: 0)
    clock.note(cpuUSec: 20_000, connections: nil, now: 10 * second)
    #expect(clock.activeAt == 0)
  }

  @Test func workIsSeenByItsCPUTime() {
    var clock = Idleness(now: 0)
    clock.note(cpuUSec: 0, connections: nil, now: 0)
    clock.note(cpuUSec: 200_000, connections: nil, now: 10 * second)
    #expect(clock.activeAt == 10 * second)
  }

  @Test func anOpenConnectionIsWork() {
    var clock = Idleness(now: 0)
    clock.note(cpuUSec: 0, connections: 0, now: 0)
    clock.note(cpuUSec: 0, connections: 1, now: 3 * second)
    #expect(clock.activeAt == 3 * second)
  }

  @Test func twoLooksInQuickSuccessionDoNotMakeAProbeIntoWork() {
    var clock = Idleness(now: 0)
    clock.note(cpuUSec: 0, connections: 0, now: 0)
    clock.note(cpuUSec: 2_000, connections: 0, now: 10_000)
    #expect(clock.activeAt == 0)
  }

  @Test func aRequestThatEndedBetweenTwoLooksCounts() {
    var clock = Idleness(now: 0)
    clock.note(connectionEnded: 40 * second)
    #expect(clock.activeAt == 40 * second)
    clock.note(connectionEnded: 20 * second)
    #expect(clock.activeAt == 40 * second)
  }

  @Test func whatCannotBeReadOrRunsBackwardsSaysNothing() {
    var clock = Idleness(now: 0)
    clock.note(cpuUSec: 900_000, connections: nil, now: second)
    clock.note(cpuUSec: nil, connections: nil, now: 2 * second)
    clock.note(cpuUSec: 10, connections: nil, now: 3 * second)
    #expect(clock.activeAt == 0)
  }
}
