/// Finds entries that lie in an array of somebody else's by the hashes of their keys.
///
/// A dictionary keeps its entries in its own slots, of which a third to two thirds are empty. Here only slots of eight
/// bytes are empty, and the entries lie side by side: with a hundred thousand of them, that is half of the memory.
public struct HashIndex: Sendable {
  private struct Slot: Sendable {
    var hash: UInt32
    /// `none` if the slot is empty.
    var place: UInt32

    static let empty = Slot(hash: 0, place: .max)
    var isEmpty: Bool { place == .max }
  }

  /// An entry is in the first slot that was empty, from that of its hash on. Their number is a power of two.
  private var slots = [Slot](repeating: .empty, count: 8)
  public private(set) var count = 0

  public init() {}

  private var mask: Int { slots.count - 1 }

  /// Where an entry lies.
  /// - Parameters:
  ///   - hash: The hash of its key.
  ///   - isWanted: Whether the entry at a place has this key.
  public func place(_ hash: Int, where isWanted: (Int) -> Bool) -> Int? {
    let hash = UInt32(truncatingIfNeeded: hash)
    var number = Int(hash) & mask
    while !slots[number].isEmpty {
      if slots[number].hash == hash, isWanted(Int(slots[number].place)) { return Int(slots[number].place) }
      number = (number + 1) & mask
    }
    return nil
  }

  /// Adds an entry whose key has none.
  public mutating func insert(_ place: Int, hash: Int) {
    // A fifth stays empty, so that searches end soon.
    if (count + 1) * 5 > slots.count * 4 { grow() }
    put(Slot(hash: UInt32(truncatingIfNeeded: hash), place: UInt32(place)))
    count += 1
  }

  /// Forgets an entry that was added.
  public mutating func remove(_ place: Int, hash: Int) {
    guard var hole = slot(of: place, hash) else { return }
    // Entries behind the hole come nearer to the slots of their hashes, so that no search ends at the hole.
    var next = (hole + 1) & mask
    while !slots[next].isEmpty {
      let home = Int(slots[next].hash) & mask
      if (next &- home) & mask >= (next &- hole) & mask {
        slots[hole] = slots[next]
        hole = next
      }
      next = (next + 1) & mask
    }
    slots[hole] = .empty
    count -= 1
  }

  /// An entry that was added lies somewhere else now.
  public mutating func move(_ place: Int, to other: Int, hash: Int) {
    if let number = slot(of: place, hash) { slots[number].place = UInt32(other) }
  }

  private func slot(of place: Int, _ hash: Int) -> Int? {
    var number = Int(UInt32(truncatingIfNeeded: hash)) & mask
    while !slots[number].isEmpty {
      if slots[number].place == UInt32(place) { return number }
      number = (number + 1) & mask
    }
    return nil
  }

  private mutating func put(_ slot: Slot) {
    var number = Int(slot.hash) & mask
    while !slots[number].isEmpty { number = (number + 1) & mask }
    slots[number] = slot
  }

  private mutating func grow() {
    let old = slots
    slots = [Slot](repeating: .empty, count: 2 * old.count)
    for slot in old where !slot.isEmpty { put(slot) }
  }
}
