import Glibc
import Seeded

/// What a trace draws.
struct Random: RandomNumberGenerator {
  private var generator: SeededGenerator

  /// The independent stream of `seed` with this number.
  init(seed: UInt64, stream: UInt64) {
    generator = SeededGenerator(seed)
    generator = SeededGenerator(next() ^ (stream &* 0xD134_2543_DE82_EF95))
    _ = next()
  }

  mutating func next() -> UInt64 { generator.next() }

  /// In 0..<1.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * unit() }

  /// Uniform in the logarithm: a value from 1 to 10 is as likely as one from 10 to 100.
  mutating func logUniform(_ low: Double, _ high: Double) -> Double {
    exp(uniform(log(low), log(high)))
  }

  mutating func integer(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(unit() * Double(range.count))
  }

  mutating func chance(_ probability: Double) -> Bool { unit() < probability }

  mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[integer(0...(elements.count - 1))]
  }

  /// Mean 0, standard deviation 1 (Box and Muller).
  mutating func gaussian() -> Double {
    sqrt(-2 * log(1 - unit())) * cos(2 * .pi * unit())
  }

  /// Mean 1: the time until the next event of a Poisson process.
  mutating func exponential() -> Double { -log(1 - unit()) }
}
