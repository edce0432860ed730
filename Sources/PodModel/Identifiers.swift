/// A pod's name: `pod-001`, `pod-002` … (at least three digits; podctl(1)).
public struct PodName: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The pod's number on this host, from 1.
  public let number: Int

  public init(number: Int) {
    self.number = number
  }

  /// Parses `pod-NNN`; nil for anything that `description` would not print.
  public init?(_ text: String) { self.init(text[...]) }

  public init?(_ text: Substring) {
    guard text.utf8.starts(with: "pod-".utf8) else { return nil }
    let digits = text.utf8.dropFirst(4)
    guard (3...9).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }),
      let number = Int(Substring(digits)), number > 0
    else { return nil }
    self.number = number
    guard description.utf8.elementsEqual(text.utf8) else { return nil }
  }

  public var description: String {
    "pod-" + padded(number, toWidth: 3)
  }

  public static func < (left: Self, right: Self) -> Bool { left.number < right.number }

  /// The uid of the pod with number 0, which does not exist: outside every range that systemd or Debian assigns
  /// (systemd, UIDS-GIDS).
  public static let firstUID = 1_900_000_000

  /// The uids of all pods that there can be, as in units/podctl.nft.
  public static let uids = UInt32(firstUID)..<UInt32(firstUID) + 65_536

  /// The uid and gid of the pod.
  public var uid: Int { Self.firstUID + number }
}

/// The scope of one generation: `pod-001-3.scope` is the third launch of pod-001. A name is never used again, because
/// a failed unit stays loaded under its name (facts 1).
public struct UnitName: Hashable, Sendable, Comparable, CustomStringConvertible {
  public let pod: PodName
  /// Counts the pod's launches, from 1.
  public let generation: Int

  public init(pod: PodName, generation: Int) {
    self.pod = pod
    self.generation = generation
  }

  /// Parses `pod-NNN-G.scope`; nil for anything that `description` would not print.
  public init?(_ text: String) { self.init(text[...]) }

  public init?(_ text: Substring) {
    let bytes = text.utf8
    guard let dash = bytes.lastIndex(of: UInt8(ascii: "-")), let pod = PodName(text[..<dash]),
      let dot = bytes.lastIndex(of: UInt8(ascii: ".")), dot > dash,
      let generation = Int(text[bytes.index(after: dash)..<dot]), generation > 0
    else { return nil }
    self.init(pod: pod, generation: generation)
    guard description.utf8.elementsEqual(bytes) else { return nil }
  }

  public var description: String { "\(pod)-\(generation).scope" }

  /// By pod, then by age.
  public static func < (left: Self, right: Self) -> Bool {
    (left.pod, left.generation) < (right.pod, right.generation)
  }
}

/// The addresses of a pod, derived from its number, so that no two pods share one.
public enum PodAddress {
  /// The listening address of the pod with this number: 127.77.a.b, never ending in 0 or 255.
  public static func listening(number: Int) -> String { "127.77.\(suffix(number))" }

  /// The only address from which the pod accepts connections: 127.76.a.b (podctl(1)).
  public static func front(number: Int) -> String { "127.76.\(suffix(number))" }

  /// The highest pod number that has an address: 256 blocks of 254.
  public static let highestNumber = 256 * 254

  private static func suffix(_ number: Int) -> String {
    "\((number - 1) / 254).\((number - 1) % 254 + 1)"
  }
}
