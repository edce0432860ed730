public import PodModel
public import Time

/// The buckets of all users. A bucket is dropped when it is full again, because a new one is the same: the table has the
/// users of the last minutes and not all of them.
///
/// There are two generations, and a bucket that is used comes into the current one. The previous one is dropped when the
/// slowest bucket in it has become full. Only when more than half of the capacity is used within that time, it is dropped
/// earlier: then a user may have a full bucket too early, and the table stays bounded.
public struct BucketTable: Sendable {
  private var current: CompactTable<UserName, TokenBucket>
  private var previous = CompactTable<UserName, TokenBucket>()
  private var began = LoopTime.zero
  /// The longest time in which a bucket of each generation fills.
  private var refill = Microseconds.zero
  private var previousRefill = Microseconds.zero
  private let capacity: Int

  /// - Parameter capacity: The largest number of buckets.
  public init(capacity: Int = 262_144) {
    self.capacity = max(2, capacity)
    current = CompactTable(room: self.capacity / 2)
  }

  public var count: Int { current.count + previous.count }

  /// Whether a user may make one more request now.
  public mutating func take(_ user: UserName, _ rate: RequestRate, now: LoopTime) -> Admission {
    if current.count >= capacity / 2 || now - began >= max(previousRefill, .minutes(1)) { change(now) }
    refill = max(refill, rate.refill)
    let bucket = previous.remove(user) ?? TokenBucket(rate, now: now)
    return current.update(user, new: bucket) { $0.take(rate, now: now) }
  }

  private mutating func change(_ now: LoopTime) {
    previous = current
    previousRefill = refill
    (current, refill, began) = (CompactTable(room: capacity / 2), .zero, now)
  }
}
