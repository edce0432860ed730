import PodModel
import Seeded
import Testing
import Time
import TimeLiterals

@testable import PodStore

@Suite struct PackedMinutesTests {
  static func minute(_ minute: Int64, generation: Int = 1, pages: UInt64 = 10_000) -> MemoryMinute {
    MemoryMinute(
      minute: minute, generation: generation, anon: pages * 4096, swap: 0, file: 2000 * 4096,
      current: (pages + 2100) * 4096, currentMax: (pages + 2200) * 4096, activeUsers: 20,
      cpu: .milliseconds(4))
  }

  @Test func `an hour comes back as it was`() {
    var random = SeededGenerator(1)
    for _ in 0..<200 {
      var minutes: [MemoryMinute] = []
      var at = Int64.random(in: 0...40_000_000, using: &random)
      for _ in 0..<Int.random(in: 0...60, using: &random) {
        func size(_ most: UInt64) -> UInt64 { UInt64.random(in: 0...most, using: &random) * 4096 }
        let current = size(1 << 24)
        minutes.append(
          MemoryMinute(
            minute: at, generation: .random(in: 1...3, using: &random), anon: size(1 << 24), swap: size(2),
            file: size(1 << 20), current: current, currentMax: current + size(100),
            activeUsers: .random(in: 0...20, using: &random),
            stalledSome: Microseconds(.random(in: 0...60_000_000, using: &random)),
            stalledFull: Microseconds(.random(in: 0...60_000_000, using: &random)),
            cpu: Microseconds(.random(in: 0...UInt64(1 << 40), using: &random))))
        at += Int64.random(in: 0...3, using: &random)
      }
      #expect(PackedMinutes.decode(PackedMinutes.encode(minutes)) == minutes)
    }
  }

  @Test func `values that no host has come back as the largest that fit`() {
    var minute = Self.minute(.max)
    minute.anon = .max
    minute.cpu = .infinity
    let back = PackedMinutes.decode(PackedMinutes.encode([minute]))
    #expect(back.first?.anon == UInt64.max / 4096 * 4096)
    #expect(back.first?.cpu == Microseconds(UInt64(Int64.max)))
  }

  @Test func `an hour in which nothing happens takes little`() {
    let bytes = PackedMinutes.encode((0..<60).map { Self.minute(29_000_000 + $0) })
    #expect(bytes.count < 100)
  }

  @Test func `damaged bytes give fewer minutes and never a trap`() {
    var random = SeededGenerator(2)
    let whole = PackedMinutes.encode(
      (0..<60).map { Self.minute(29_000_000 + $0, pages: 10_000 + UInt64($0)) })
    for length in 0..<whole.count {
      #expect(PackedMinutes.decode(Array(whole.prefix(length))).count <= 60)
    }
    for _ in 0..<5_000 {
      var bytes = whole
      for _ in 0..<3 {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
      }
      #expect(PackedMinutes.decode(bytes).count <= bytes.count)
    }
    #expect(PackedMinutes.decode([9, 0, 0]).isEmpty)
  }
}
