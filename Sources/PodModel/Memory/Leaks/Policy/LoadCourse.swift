/// How busy a pod was, in bounded memory: when the memory is full, each entry stands for twice as much time.
public struct LoadCourse: Sendable, Equatable {
  private static let capacity = 32
  /// Fewer entries do not show what is usual.
  static let fewest = 12

  /// A moment is quiet if at most this share of past readings was quieter.
  private static let quietShare = 0.2

  private var past: [Double] = []
  /// How many readings an entry of `past` stands for.
  private var stride = 1
  private var pending = 0.0
  private var pendingCount = 0
  /// The last readings, smoothed, because one idle moment between two requests is not a quiet time.
  private var recent = 0.0

  public init() {}

  /// Takes a reading, in any unit as long as it stays the same.
  public mutating func add(_ value: Double) {
    guard value.isFinite, value >= 0 else { return }
    recent = past.isEmpty && pendingCount == 0 ? value : recent + (value - recent) / 2
    pending += value
    pendingCount += 1
    guard pendingCount == stride else { return }
    past.append(pending / Double(stride))
    pending = 0
    pendingCount = 0
    guard past.count == Self.capacity else { return }
    past = Swift.stride(from: 0, to: Self.capacity, by: 2).map { (past[$0] + past[$0 + 1]) / 2 }
    stride *= 2
  }

  /// Whether the pod is now as quiet as it ever gets; with a constant load it always is. False until there are enough
  /// readings.
  public var isQuiet: Bool {
    guard past.count >= Self.fewest else { return false }
    let quieter = past.count { $0 < recent * 0.95 }
    return Double(quieter) <= Double(past.count) * Self.quietShare
  }
}
