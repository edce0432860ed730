/// A pod's name: `pod-001`, `pod-002` … (at least three digits; contract, "Files").
public struct PodName: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The pod's number on this host, from 1.
  public let number: Int

  public init(number: Int) {
    self.number = number
  }

  /// Reads `pod-NNN`; nil for anything that this type would not itself print.
  public init?(_ text: some StringProtocol) {
    guard text.hasPrefix("pod-") else { return nil }
    let digits = text.dropFirst(4)
    guard (3...9).contains(digits.utf8.count), digits.utf8.allSatisfy({ (48...57).contains($0) }),
      let number = Int(digits), number > 0
    else { return nil }
    self.number = number
    guard description == text else { return nil }
  }

  public var description: String {
    "pod-" + padded(number, toWidth: 3)
  }

  public static func < (left: Self, right: Self) -> Bool { left.number < right.number }
}

/// One launch of a pod. Its scope is never started twice, because a failed unit keeps its name
/// loaded (facts 1): `pod-001-3.scope` is pod-001's third launch.
public struct UnitName: Hashable, Sendable, Comparable, CustomStringConvertible {
  public let pod: PodName
  /// The pod's n-th launch, from 1.
  public let generation: Int

  public init(pod: PodName, generation: Int) {
    self.pod = pod
    self.generation = generation
  }

  /// Reads `pod-NNN-G.scope`; nil for anything that this type would not itself print.
  public init?(_ text: some StringProtocol) {
    guard text.hasSuffix(".scope") else { return nil }
    let stem = text.dropLast(6)
    guard let dash = stem.lastIndex(of: "-"), let pod = PodName(stem[..<dash]),
      let generation = Int(stem[stem.index(after: dash)...]), generation > 0
    else { return nil }
    self.init(pod: pod, generation: generation)
    guard description == text else { return nil }
  }

  public var description: String { "\(pod)-\(generation).scope" }

  /// By pod, then by age.
  public static func < (left: Self, right: Self) -> Bool {
    (left.pod, left.generation) < (right.pod, right.generation)
  }
}

/// What a pod's own numbers are derived from, so that two pods can never share one.
public enum PodAddress {
  /// The listening address of the pod with this number: 127.77.a.b, never ending in 0 or 255.
  public static func listening(number: Int) -> String { "127.77.\(suffix(number))" }

  /// The only address the pod answers to: 127.76.a.b (contract, "Files").
  public static func front(number: Int) -> String { "127.76.\(suffix(number))" }

  /// The highest pod number that has an address: 256 blocks of 254.
  public static let highestNumber = 256 * 254

  private static func suffix(_ number: Int) -> String {
    "\((number - 1) / 254).\((number - 1) % 254 + 1)"
  }
}
