import TokenCheck

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
  private var index = HashIndex()
  private var nodes: [Node] = []
  private var newest = Self.none
  private var oldest = Self.none
  private var free: [Int32] = []
  private static var none: Int32 { -1 }

  init(capacity: Int) {
    precondition(capacity > 0 && capacity < Int(Int32.max), "a table needs room")
    self.capacity = capacity
    // Memory that is not written to is none. An array that grows leaves holes as large as it was.
    nodes.reserveCapacity(capacity)
  }

  var count: Int { index.count }

  private func place(of key: Key, _ hash: Int) -> Int32? {
    index.place(hash) { nodes[$0].key == key }.map(Int32.init)
  }

  /// The value, which is then the one that was used last.
  mutating func use(_ key: Key) -> Value? {
    guard let place = place(of: key, key.hashValue) else { return nil }
    if place != newest {
      unlink(place)
      link(place)
    }
    return nodes[Int(place)].value
  }

  /// The value, without using it.
  func peek(_ key: Key) -> Value? { place(of: key, key.hashValue).map { nodes[Int($0)].value } }

  /// Adds or replaces a value, which is then the one that was used last.
  mutating func set(_ key: Key, _ value: Value) {
    let hash = key.hashValue
    if let place = place(of: key, hash) {
      nodes[Int(place)].value = value
      if place != newest {
        unlink(place)
        link(place)
      }
      return
    }
    if count >= capacity { remove(nodes[Int(oldest)].key) }
    let node = Node(key: key, value: value, newer: Self.none, older: Self.none)
    let place: Int32
    if let reused = free.popLast() {
      nodes[Int(reused)] = node
      place = reused
    } else {
      place = Int32(nodes.count)
      nodes.append(node)
    }
    index.insert(Int(place), hash: hash)
    link(place)
  }

  @discardableResult
  mutating func remove(_ key: Key) -> Value? {
    let hash = key.hashValue
    guard let place = place(of: key, hash) else { return nil }
    index.remove(Int(place), hash: hash)
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
