import PodModel
import Testing
import TimeLiterals

@Suite struct ByteSizeTests {
  @Test(
    arguments: [
      (0, "0B"), (1023, "1023B"), (1536, "1.5K"), (96 << 20, "96M"), (100_663_297, "96M"), (5 << 40, "5T"),
    ] as [(UInt64, String)])
  func size(bytes: UInt64, text: String) { #expect(ByteSize.text(bytes) == text) }

  @Test(
    arguments: [
      (0, "0B/h"), (1500, "5.1M/h"), (-1500, "-5.1M/h"), (1_048_575, "3.5G/h"), (1_048_576, "1M/s"),
    ] as [(Double, String)])
  func rate(bytesPerSecond: Double, text: String) { #expect(ByteSize.rate(bytesPerSecond) == text) }

  @Test func pausesDoubleUpToTheLongest() {
    var pauses = DoublingPause(first: 100, longest: 350)
    #expect((0..<4).map { _ in pauses.next() } == [100, 200, 350, 350])
  }

  @Test func controlGroupsNest() {
    let unit = UnitName(pod: PodName(number: 1), generation: 2)
    let scope = ControlGroup.scope(unit, tier: "free")
    #expect(scope.path == "/pods.slice/pods-free.slice/pod-001-2.scope")
    #expect(ControlGroup.isIn(slice: "pods-free.slice", path: scope.path))
    #expect(!ControlGroup.isIn(slice: "pods-pro.slice", path: scope.path))
  }
}
