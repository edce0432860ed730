/// A dictionary for many entries, in less memory (see ``HashIndex``).
struct CompactTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private var entries: [(key: Key, value: Value)] = []
  private var index = HashIndex()

  /// - Parameter room: For how many entries there is room from the start. It takes no memory before they come; without it,
  ///   a table that grows leaves holes in the heap that are as large as it was.
  init(room: Int = 0) { entries.reserveCapacity(room) }

  var count: Int { entries.count }

  subscript(key: Key) -> Value? { place(of: key, key.hashValue).map { entries[$0].value } }

  /// Changes the value of a key, which is `new` if the key had none.
  mutating func update<Result>(_ key: Key, new: Value, _ body: (inout Value) -> Result) -> Result {
    let hash = key.hashValue
    if let place = place(of: key, hash) { return body(&entries[place].value) }
    index.insert(entries.count, hash: hash)
    entries.append((key, new))
    return body(&entries[entries.count - 1].value)
  }

  mutating func remove(_ key: Key) -> Value? {
    guard !entries.isEmpty else { return nil }
    let hash = key.hashValue
    guard let place = place(of: key, hash) else { return nil }
    index.remove(place, hash: hash)
    let removed = entries[place].value
    // The last entry fills the hole.
    let last = entries.removeLast()
    if place < entries.count {
      entries[place] = last
      index.move(entries.count, to: place, hash: last.key.hashValue)
    }
    return removed
  }

  private func place(of key: Key, _ hash: Int) -> Int? {
    index.place(hash) { entries[$0].key == key }
  }
}
