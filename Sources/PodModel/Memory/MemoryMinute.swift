public import Time

/// One minute of a generation's memory as the history keeps it: sizes in bytes.
public struct MemoryMinute: Sendable, Equatable {
  /// Minutes since the epoch by the host's clock.
  public var minute: Int64
  public var generation: Int
  /// As in ``MemorySample``, from the minute's sample with the least unreclaimable memory (facts 18): memory that comes
  /// and goes within a minute, as with a garbage collector, is not growth.
  public var anon: UInt64
  public var swap: UInt64
  public var file: UInt64
  public var current: UInt64
  /// The highest `memory.current` of the minute's samples.
  public var currentMax: UInt64
  public var activeUsers: Int
  /// How long some, and all, of the processes waited for memory (kernel, psi.rst, "total").
  public var stalledSome: Microseconds
  public var stalledFull: Microseconds
  /// CPU time used.
  public var cpu: Microseconds

  public init(
    minute: Int64, generation: Int, anon: UInt64, swap: UInt64, file: UInt64, current: UInt64,
    currentMax: UInt64, activeUsers: Int, stalledSome: Microseconds = .zero,
    stalledFull: Microseconds = .zero, cpu: Microseconds = .zero
  ) {
    self.minute = minute
    self.generation = generation
    self.anon = anon
    self.swap = swap
    self.file = file
    self.current = current
    self.currentMax = currentMax
    self.activeUsers = activeUsers
    self.stalledSome = stalledSome
    self.stalledFull = stalledFull
    self.cpu = cpu
  }

  /// A minute with one sample.
  public init(_ sample: MemorySample, minute: Int64, generation: Int) {
    self.init(
      minute: minute, generation: generation, anon: sample.anon, swap: sample.swap, file: sample.file,
      current: sample.current, currentMax: sample.current, activeUsers: sample.activeUsers)
  }

  /// The leak signal, as in ``MemorySample``.
  public var held: UInt64 { anon &+ swap }

  /// Adds another value of the same minute of the same generation.
  public mutating func add(_ other: MemoryMinute) {
    if other.held < held {
      (anon, swap, file, current) = (other.anon, other.swap, other.file, other.current)
    }
    currentMax = max(currentMax, other.currentMax)
    activeUsers = max(activeUsers, other.activeUsers)
    stalledSome += other.stalledSome
    stalledFull += other.stalledFull
    cpu += other.cpu
  }
}
