import Seeded
import Testing

@testable import TokenCheck

/// A key whose hash is one of a few numbers, so that many keys want the same slot.
private struct Crowded: Hashable, Sendable {
  let number: Int
  func hash(into hasher: inout Hasher) { hasher.combine(number % 3) }
}

@Suite struct TableTests {
  private func followsADictionary<Key: Hashable & Sendable>(_ key: (Int) -> Key, steps: Int) {
    var random = SeededGenerator(7)
    var table = CompactTable<Key, Int>()
    var model: [Key: Int] = [:]
    for step in 0..<steps {
      // Sometimes more come, sometimes more go.
      let comes = Int.random(in: 0..<10, using: &random) < (step / 2_000 % 2 == 0 ? 7 : 3)
      let key = key(Int.random(in: 0..<600, using: &random))
      if comes {
        let new = table.update(key, new: step) {
          $0 += 1; return $0
        }
        model[key, default: step] += 1
        #expect(new == model[key])
      } else {
        #expect(table.remove(key) == model.removeValue(forKey: key))
      }
      #expect(table.count == model.count)
    }
    for number in 0..<600 { #expect(table[key(number)] == model[key(number)]) }
  }

  @Test func aCompactTableIsADictionary() { followsADictionary({ "key-\($0)" }, steps: 20_000) }

  @Test func alsoWithKeysOfTheSameHash() { followsADictionary(Crowded.init, steps: 8_000) }

  /// Hashes that differ in their upper bits alone, at the end of the slots: entries go on at the beginning.
  @Test func slotsGoRound() {
    var index = HashIndex()
    let hashes = [7, 15, 23, 6, 14, 0]
    for (place, hash) in hashes.enumerated() { index.insert(place, hash: hash) }
    index.remove(1, hash: 15)
    index.move(5, to: 1, hash: 0)
    #expect(index.count == 5)
    #expect(index.place(15) { $0 == 1 } == nil)
    #expect(index.place(0) { $0 == 1 } == 1)
    for place in [0, 2, 3, 4] { #expect(index.place(hashes[place]) { $0 == place } == place) }
  }

  @Test func manyEntriesAreFound() {
    var index = HashIndex()
    for place in 0..<100_000 { index.insert(place, hash: "\(place)".hashValue) }
    #expect(index.count == 100_000)
    #expect((0..<100_000).allSatisfy { place in index.place("\(place)".hashValue) { $0 == place } == place })
  }
}
