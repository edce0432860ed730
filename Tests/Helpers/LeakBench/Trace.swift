public import PodModel
public import Time

/// The samples of one pod, with the truth about its leaks.
public struct Trace: Sendable {
  /// A period in which the pod leaks.
  public struct Leak: Sendable {
    public var starts: LoopTime
    /// The end: when the limit is met, or when the program restarts before that.
    public var ends: LoopTime
    /// When unreclaimable memory meets the limit; later than `ends` if a restart comes first.
    public var meetsLimit: LoopTime
  }

  public var name: String
  public var kind: String
  public var memoryMax: UInt64
  public var samples: [MemorySample]
  /// In order of time; empty for a healthy pod.
  public var leaks: [Leak]

  public var isLeak: Bool { !leaks.isEmpty }

  /// Unreclaimable memory as a share of the limit.
  func share(_ sample: MemorySample) -> Double { Double(sample.held) / Double(memoryMax) }
}
