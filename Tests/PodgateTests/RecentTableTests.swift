import Testing

@testable import PodgateCore

@Suite("A table of bounded size")
struct RecentTableTests {
  @Test func theEntryThatWasUsedLeastRecentlyMakesRoom() {
    var table = RecentTable<String, Int>(capacity: 3)
    for (index, key) in ["a", "b", "c"].enumerated() { table.set(key, index) }
    #expect(table.use("a") == 0)
    table.set("d", 3)
    #expect(table.peek("b") == nil)
    #expect(["a", "c", "d"].map { table.peek($0) } == [0, 2, 3])
    // Another value for a key that is there pushes nothing out, and counts as use.
    table.set("c", 4)
    table.set("e", 5)
    #expect(["a", "c", "d", "e"].map { table.peek($0) } == [nil, 4, 3, 5])
    #expect(table.count == 3)
  }

  @Test func theOrderIsThatOfAModel() {
    var table = RecentTable<Int, Int>(capacity: 8)
    var model: [(key: Int, value: Int)] = []
    var number: UInt64 = 1
    for step in 0..<20_000 {
      number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let (key, kind) = (Int(number >> 33) % 13, Int(number >> 60) % 4)
      let known = model.firstIndex { $0.key == key }
      switch kind {
      case 0:
        #expect(table.remove(key) == known.map { model[$0].value })
        if let known { model.remove(at: known) }
      case 1:
        #expect(table.use(key) == known.map { model[$0].value })
        if let known { model.append(model.remove(at: known)) }
      default:
        if let known { model.remove(at: known) } else if model.count == 8 { model.removeFirst() }
        model.append((key, step))
        table.set(key, step)
      }
      #expect(table.count == model.count)
    }
    for entry in model { #expect(table.peek(entry.key) == entry.value) }
  }
}
