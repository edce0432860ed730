import Seeded

/// What a world draws: the same seed, the same world.
extension SeededGenerator {
  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(max(limit, 1))) }

  /// True `percent` times out of a hundred.
  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

  /// True so many times out of a thousand.
  mutating func chance(perMille: Int) -> Bool { below(1_000) < perMille }

  mutating func pick<Element>(_ elements: [Element]) -> Element? {
    elements.isEmpty ? nil : elements[below(elements.count)]
  }

  mutating func unit() -> Double { Double(next() >> 11) / Double(1 << 53) }
}
