/// One reading of a pod's memory; sizes in bytes.
public struct MemorySample: Sendable, Equatable {
  /// Microseconds by the caller's clock.
  public var at: UInt64
  /// What no reclaim gives back without swap: memory.stat's anon, shmem and slab_unreclaimable.
  public var anon: UInt64
  /// `memory.swap.current`.
  public var swap: UInt64
  /// Page cache: memory.stat's file without shmem, which counts as `anon`.
  public var file: UInt64
  /// `memory.current`, which is what limits are held against.
  public var current: UInt64
  /// Users that did something of late; those placed on the pod where nothing better is known.
  public var activeUsers: Int

  public init(at: UInt64, anon: UInt64, swap: UInt64, file: UInt64, current: UInt64, activeUsers: Int) {
    self.at = at
    self.anon = anon
    self.swap = swap
    self.file = file
    self.current = current
    self.activeUsers = activeUsers
  }

  /// What grows when a program leaks (facts 18).
  public var held: UInt64 { anon &+ swap }
}
