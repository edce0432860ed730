public import PodModel

/// What says of a pod, sample by sample, whether it leaks.
public protocol Rule {
  /// True with the sample by which it convicts.
  mutating func add(_ sample: MemorySample) -> Bool
}

/// A rule by name; a new one of it for each generation of a pod.
public struct Candidate: Sendable {
  public var name: String
  public var make: @Sendable (_ memoryMax: UInt64) -> any Rule

  public init(_ name: String, _ make: @escaping @Sendable (_ memoryMax: UInt64) -> any Rule) {
    self.name = name
    self.make = make
  }

  /// What podd runs.
  public static let detector = Candidate("podctl") { Detector(LeakDetector(memoryMax: $0, memoryHigh: nil)) }
}

/// podd's own.
private struct Detector: Rule {
  var detector: LeakDetector

  init(_ detector: LeakDetector) { self.detector = detector }

  mutating func add(_ sample: MemorySample) -> Bool { detector.add(sample).isLeak }
}
