import Glibc

/// SplitMix64 (Steele, Lea, Flood 2014): a seed gives the same numbers on every machine.
struct Random: RandomNumberGenerator {
  private var state: UInt64

  /// The independent stream of `seed` with this number.
  init(seed: UInt64, stream: UInt64) {
    state = seed
    let first = next()
    state = first ^ (stream &* 0xD134_2543_DE82_EF95)
    _ = next()
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

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
