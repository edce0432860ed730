public import PodModel

/// Decides from the samples of a pod whether it leaks.
public protocol Rule {
  /// Returns true if the pod counts as leaking from this sample on.
  mutating func add(_ sample: MemorySample) -> Bool
  /// What the rule says about the last sample; empty for a rule that says nothing.
  var reason: String { get }
}

extension Rule {
  public var reason: String { "" }
}

/// A rule with its name; `make` creates a new instance for each generation of a pod.
public struct Candidate: Sendable {
  public var name: String
  public var make: @Sendable (_ memoryMax: UInt64) -> any Rule

  public init(_ name: String, _ make: @escaping @Sendable (_ memoryMax: UInt64) -> any Rule) {
    self.name = name
    self.make = make
  }

  /// The rule that podd uses.
  public static let detector = Candidate("podctl") { Detector(LeakDetector(memoryMax: $0, memoryHigh: nil)) }
}

/// podd's leak detector as a rule.
private struct Detector: Rule {
  var detector: LeakDetector

  init(_ detector: LeakDetector) { self.detector = detector }

  mutating func add(_ sample: MemorySample) -> Bool { detector.add(sample).isLeak }
  var reason: String { detector.finding.reason }
}
