public import Time

/// One reading of a pod's memory; sizes in bytes.
public struct MemorySample: Sendable, Equatable {
  public var at: LoopTime
  /// Memory that cannot be reclaimed without swap: anon, shmem and slab_unreclaimable of memory.stat.
  public var anon: UInt64
  /// `memory.swap.current`.
  public var swap: UInt64
  /// Page cache: file of memory.stat without shmem, which counts as `anon`.
  public var file: UInt64
  /// `memory.current`, which the kernel compares with the limits.
  public var current: UInt64
  /// Users who were active recently; where that is not known, the users placed on the pod.
  public var activeUsers: Int

  public init(at: LoopTime, anon: UInt64, swap: UInt64, file: UInt64, current: UInt64, activeUsers: Int) {
    self.at = at
    self.anon = anon
    self.swap = swap
    self.file = file
    self.current = current
    self.activeUsers = activeUsers
  }

  /// Unreclaimable memory, which grows when a program leaks (facts 18).
  public var held: UInt64 { anon &+ swap }
}
