import PodModel
import Testing
import Time
import TimeLiterals

@Suite struct MemoryMinuteTests {
  private func sample(_ anon: UInt64, swap: UInt64 = 0, current: UInt64 = 100) -> MemorySample {
    MemorySample(at: 0, anon: anon, swap: swap, file: anon + 1, current: current, activeUsers: Int(anon))
  }

  @Test func aMinuteKeepsTheLeastThatWasHeldAndTheMostThatWasUsed() {
    var minute = MemoryMinute(sample(50, current: 60), minute: 7, generation: 2)
    for each in [
      sample(30, swap: 30, current: 90), sample(20, swap: 5, current: 40), sample(80, current: 85),
    ] {
      minute.add(MemoryMinute(each, minute: 7, generation: 2))
    }
    // The parts belong together: they are of one sample.
    #expect((minute.anon, minute.swap, minute.file, minute.current) == (20, 5, 21, 40))
    #expect(minute.held == 25)
    #expect(minute.currentMax == 90)
    #expect(minute.activeUsers == 80)
    #expect((minute.minute, minute.generation) == (7, 2))
  }

  @Test func twoPartsOfAMinuteAreAddedUp() {
    var minute = MemoryMinute(sample(50), minute: 7, generation: 2)
    minute.cpu = 5
    var other = MemoryMinute(sample(60), minute: 7, generation: 2)
    (other.cpu, other.stalledSome, other.stalledFull) = (6, 7, 8)
    minute.add(other)
    #expect((minute.cpu, minute.stalledSome, minute.stalledFull) == (11, 7, 8))
    #expect(minute.anon == 50)
  }
}
