import Testing
import Time

@testable import PodModel

/// What podd keeps for each pod; `Tests/machine/bench --only resident` measures all of it.
@Suite struct PodSizeTests {
  /// Evidence is for the moment of an end: a pod that runs has no room for it.
  @Test func aPodsMachineIsSmall() {
    #expect(MemoryLayout<GenerationLife>.stride <= 256)
    #expect(MemoryLayout<PodMachine>.stride <= 768)
  }

  @Test func aMemoryHistoryGrowsWithItsAge() {
    var floors = MemoryFloors()
    var largest = 0
    for sample in 0..<1_000_000 {
      floors.append(at: Float(sample), 1)
      largest = max(largest, floors.stretches.capacity)
      if sample == 360 { #expect(largest <= 64, "an hour") }
      if sample == 8640 { #expect(largest <= 96, "a day") }
    }
    #expect(largest <= MemoryFloors.capacity + 16)
  }
}
