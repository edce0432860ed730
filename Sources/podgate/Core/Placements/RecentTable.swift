/// A table of bounded size. A new entry takes the place of the one that was used least recently.
struct RecentTable<Key: Hashable, Value> {
  private struct Node {
    var key: Key
    var value: Value
    /// The neighbours in the order of use, or the next free node; `none` at an end.
    var newer: Int32
    var older: Int32
  }

  private let capacity: Int
  private var places: [Key: Int32] = [:]
  private var nodes: [Node] = []
  private var newest = Self.none
  private var oldest = Self.none
  private var free: [Int32] = []
  private static var none: Int32 { -1 }

  init(capacity: Int) {
    precondition(capacity > 0 && capacity < Int(Int32.max), "a table needs room")
    self.capacity = capacity
  }

  var count: Int { places.count }

  /// The value, which is then the one that was used last.
  mutating func use(_ key: Key) -> Value? {
    guard let place = places[key] else { return nil }
    if place != newest {
      unlink(place)
      link(place)
    }
    return nodes[Int(place)].value
  }

  /// The value, without using it.
  func peek(_ key: Key) -> Value? { places[key].map { nodes[Int($0)].value } }

  /// Adds or replaces a value, which is then the one that was used last.
  mutating func set(_ key: Key, _ value: Value) {
    if let place = places[key] {
      nodes[Int(place)].value = value
      if place != newest {
        unlink(place)
        link(place)
      }
      return
    }
    if places.count >= capacity { remove(nodes[Int(oldest)].key) }
    let node = Node(key: key, value: value, newer: Self.none, older: Self.none)
    let place: Int32
    if let reused = free.popLast() {
      nodes[Int(reused)] = node
      place = reused
    } else {
      place = Int32(nodes.count)
      nodes.append(node)
    }
    places[key] = place
    link(place)
  }

  @discardableResult
  mutating func remove(_ key: Key) -> Value? {
    guard let place = places.removeValue(forKey: key) else { return nil }
    unlink(place)
    free.append(place)
    return nodes[Int(place)].value
  }

  private mutating func unlink(_ place: Int32) {
    let node = nodes[Int(place)]
    if node.newer == Self.none { newest = node.older } else { nodes[Int(node.newer)].older = node.older }
    if node.older == Self.none { oldest = node.newer } else { nodes[Int(node.older)].newer = node.newer }
  }

  private mutating func link(_ place: Int32) {
    nodes[Int(place)].newer = Self.none
    nodes[Int(place)].older = newest
    if newest == Self.none { oldest = place } else { nodes[Int(newest)].newer = place }
    newest = place
  }
}
