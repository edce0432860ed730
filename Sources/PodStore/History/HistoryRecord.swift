public import PodModel

/// One minute of one pod.
public struct HistoryRecord: Sendable, Equatable {
  public var pod: PodName
  public var minute: MemoryMinute

  public init(pod: PodName, minute: MemoryMinute) {
    self.pod = pod
    self.minute = minute
  }
}
