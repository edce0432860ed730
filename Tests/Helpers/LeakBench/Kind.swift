/// One kind of behaviour of a pod's memory.
struct Kind: Sendable {
  let name: String
  let draw: @Sendable (inout Random) -> Draft

  init(_ name: String, _ draw: @escaping @Sendable (inout Random) -> Draft) {
    self.name = name
    self.draw = draw
  }

  /// From half an hour to two weeks.
  static func anyLength(_ random: inout Random) -> Double { random.logUniform(1800, 14 * 86_400) }

  /// The kinds without a leak, some of which look like one.
  static let healthy = steady + filling + breathing
}

/// The kinds of a benchmark; every set has its own traces of a seed.
public enum KindSet: String, Sendable, CaseIterable {
  /// The kinds that the rules were first tuned on.
  case first
  /// Those that were added later: `KindsWider.swift`.
  case wider

  var healthy: [Kind] { self == .first ? Kind.healthy : Kind.widerHealthy }
  var leaking: [Kind] { self == .first ? Kind.leaking : Kind.widerLeaking }
}

/// The traces of one seed: every second one leaks, and each kind comes in turn.
public struct Traces: Sequence, IteratorProtocol {
  private let seed: UInt64
  private let count: Int
  private let set: KindSet
  private var index = 0

  /// Seeds for choosing the parameters of a rule.
  public static let tuningSeeds: ClosedRange<UInt64> = 1...5
  /// Seeds from here on are only for scores; their traces must not be used for tuning.
  public static let heldOutFrom: UInt64 = 1001

  public init(seed: UInt64, count: Int, set: KindSet = .first) {
    self.seed = seed
    self.count = count
    self.set = set
  }

  public static func kinds(_ set: KindSet) -> [(name: String, leaks: Bool)] {
    set.healthy.map { ($0.name, false) } + set.leaking.map { ($0.name, true) }
  }

  public mutating func next() -> Trace? {
    guard index < count else { return nil }
    defer { index += 1 }
    let kinds = index % 2 == 0 ? set.healthy : set.leaking
    let kind = kinds[index / 2 % kinds.count]
    var random = Random(seed: seed, stream: UInt64(index))
    let number = String(index)
    let name = "\(seed)-\(String(repeating: "0", count: Swift.max(0, 4 - number.count)))\(number)"
    while true {
      let draft = kind.draw(&random)
      if let trace = draft.trace(name: name, kind: kind.name, random: &random) { return trace }
    }
  }
}
