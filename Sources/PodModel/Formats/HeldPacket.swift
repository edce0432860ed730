public import Time

/// A SYN that waits for a pod, and the rules by which SYNs share the kernel's queue.
public struct HeldPacket: Sendable, Equatable {
  /// The name that its verdict uses.
  public let id: UInt32
  /// When the client sent its first SYN, and its last one.
  private let firstAt, lastAt: LoopTime

  public init(id: UInt32, at now: LoopTime) {
    self.id = id
    firstAt = now
    lastAt = now
  }

  private init(id: UInt32, firstAt: LoopTime, lastAt: LoopTime) {
    self.id = id
    self.firstAt = firstAt
    self.lastAt = lastAt
  }

  /// The SYN that takes its place.
  public func sentAgain(as id: UInt32, at now: LoopTime) -> HeldPacket {
    HeldPacket(id: id, firstAt: firstAt, lastAt: now)
  }

  /// Whether the client has given up: a client that still waits would have sent its SYN again. TCP does so after 1 s
  /// (`TCP_TIMEOUT_INIT`) and then after at most twice the last interval, which is a second more than the time since the
  /// first SYN. What a busy host is late by is allowed for.
  public func isAbandoned(at now: LoopTime) -> Bool {
    let interval = lastAt - firstAt + .seconds(1)
    return now > lastAt + interval + interval / 4 + .seconds(1)
  }

  /// Whether one more SYN may wait for a pod. A pod may have a quarter of what is free, so that a pod alone can have many,
  /// and many pods together never take all.
  ///
  /// - Parameters:
  ///   - pod: how many wait for this pod.
  ///   - all: how many wait for all pods.
  public static func hasRoom(ofPod pod: Int, all: Int, capacity: Int) -> Bool {
    pod < (capacity - all) / 4
  }
}
