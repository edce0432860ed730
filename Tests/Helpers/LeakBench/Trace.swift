public import PodModel

/// The samples of one pod, and what is true about them.
public struct Trace: Sendable {
  /// A stretch of time in which the pod leaks.
  public struct Leak: Sendable {
    /// When it begins, microseconds by the samples' clock.
    public var starts: UInt64
    /// Its end: the limit, or a restart of the program before.
    public var ends: UInt64
    /// When held memory meets the limit; after `ends` where a restart came first.
    public var meetsLimit: UInt64
  }

  public var name: String
  public var kind: String
  public var memoryMax: UInt64
  public var samples: [MemorySample]
  /// In order of time; none for a healthy pod.
  public var leaks: [Leak]

  public var isLeak: Bool { !leaks.isEmpty }

  /// Held memory as a share of the limit.
  func share(_ sample: MemorySample) -> Double { Double(sample.held) / Double(memoryMax) }
}
