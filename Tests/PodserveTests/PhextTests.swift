import Seeded
import Testing

@testable import PodserveCore

/// A document in memory, read in small pieces so that every buffer edge is met.
func reader(_ document: [UInt8], bufferSize: Int = 16, summaryLength: Int = 0) -> ScrollReader {
  ScrollReader(
    name: "test.phext", bufferSize: bufferSize, summaryLength: summaryLength, source: source(document))
}

func source(_ document: [UInt8]) -> ScrollReader.Source {
  { (offset, buffer) throws(StorageError) in
    let part = document.dropFirst(offset).prefix(buffer.count)
    buffer.copyBytes(from: part)
    return part.count
  }
}

func scrolls(_ document: [UInt8], bufferSize: Int = 16) throws -> [Coordinate: String] {
  var result: [Coordinate: String] = [:]
  let reader = reader(document, bufferSize: bufferSize)
  while let scroll = try reader.next() {
    result[scroll.coordinate] = String(decoding: document[scroll.range], as: UTF8.self)
  }
  return result
}

func edited(_ document: [UInt8], _ edit: Edit, _ text: String, at target: Coordinate) throws -> [UInt8] {
  let place = try Place(of: target, in: reader(document))
  let pieces = pieces(
    applying: edit, textCount: text.utf8.count, at: target, place: place, documentSize: document.count)
  guard let pieces else { return document }
  return pieces.flatMap { piece -> [UInt8] in
    switch piece {
    case .old(let range): Array(document[range])
    case .bytes(let bytes): bytes
    case .text: Array(text.utf8)
    }
  }
}

func at(_ text: String) throws -> Coordinate { try #require(Coordinate(text.utf8)) }

@Suite struct CoordinateTests {
  @Test func readsWhatItWrites() throws {
    for text in ["1.1.1/1.1.1/1.1.1", "99.98.97/96.95.94/93.92.91", "1.2.3/4.5.6/7.8.9"] {
      #expect(try at(text).description == text)
      #expect(try at(text.replacing("/", with: ";")).description == text)
    }
    #expect(try at("01.1.1/1.1.1/1.1.009").description == "1.1.1/1.1.1/1.1.9")
  }

  @Test(arguments: [
    "", "1", "1.1.1/1.1.1/1.1", "1.1.1/1.1.1/1.1.1.1", "1.1.1.1.1.1.1.1.1", "1/1/1/1/1/1/1/1/1",
    "0.1.1/1.1.1/1.1.1", "100.1.1/1.1.1/1.1.1", "1.1.1/1.1.1/1.1.", "1.1.1/1.1.1/1.1.-1",
    " 1.1.1/1.1.1/1.1.1",
    "1.1.1/1.1.1/1.1.99999999999999999999", "1.1.1//1.1.1/1.1", "a.1.1/1.1.1/1.1.1",
  ])
  func refuses(text: String) {
    #expect(Coordinate(text.utf8) == nil)
  }

  @Test func theFarthestCoordinateCostsFewBreaks() throws {
    let breaks = PhextBreak.between(.origin, try at("99.99.99/99.99.99/99.99.99"))
    #expect(breaks.count == 9 * 98)
  }

  @Test func higherLevelsStartTheLowerOnesAnew() throws {
    #expect(try PhextBreak.between(at("1.1.1/1.1.1/1.5.7"), at("1.1.1/1.1.1/2.1.2")) == [0x19, 0x17])
    #expect(try PhextBreak.between(.origin, at("2.1.1/1.1.1/1.1.1")) == [0x01])
    #expect(try PhextBreak.between(.origin, at("1.2.2/2.2.2/1.1.1")) == [0x1F, 0x1E, 0x1D, 0x1C, 0x1A])
  }
}

@Suite struct DocumentTests {
  /// What libphext makes of these breaks, by its own table.
  @Test func readsDocumentsOfSQ() throws {
    let document = Array(
      "a\u{17}b\u{18}c\u{19}d\u{1a}e\u{1c}f\u{1d}g\u{1e}h\u{1f}i\u{01}j\u{17}\u{17}k\n\u{17}".utf8)
    let expected = [
      "1.1.1/1.1.1/1.1.1": "a", "1.1.1/1.1.1/1.1.2": "b", "1.1.1/1.1.1/1.2.1": "c", "1.1.1/1.1.1/2.1.1": "d",
      "1.1.1/1.1.2/1.1.1": "e", "1.1.1/1.2.1/1.1.1": "f", "1.1.1/2.1.1/1.1.1": "g", "1.1.2/1.1.1/1.1.1": "h",
      "1.2.1/1.1.1/1.1.1": "i", "2.1.1/1.1.1/1.1.1": "j", "2.1.1/1.1.1/1.1.3": "k\n",
    ]
    for size in [8, 16, 64, 4096] {
      let found = try scrolls(document, bufferSize: size)
      #expect(Dictionary(uniqueKeysWithValues: found.map { ($0.key.description, $0.value) }) == expected)
    }
  }

  @Test func insertAppendsUpdateReplacesDeleteRemoves() throws {
    let second = try at("1.1.1/1.1.1/1.1.2")
    var document = try edited([], .append, "one", at: second)
    document = try edited(document, .append, "+two", at: second)
    #expect(document == Array("\u{17}one+two".utf8))
    document = try edited(document, .replace, "three", at: second)
    #expect(document == Array("\u{17}three".utf8))
    document = try edited(document, .append, "x", at: .origin)
    #expect(document == Array("x\u{17}three".utf8))
    document = try edited(document, .remove, "", at: second)
    #expect(document == Array("x".utf8))
    #expect(try edited(document, .replace, "", at: .origin) == [])
  }

  @Test func aScrollBeyond99IsRefusedNotGuessed() throws {
    let document = [UInt8](repeating: 0x17, count: 99) + Array("x".utf8)
    #expect(throws: StorageError.self) { _ = try scrolls(document) }
    #expect(try scrolls(Array(document.dropFirst())).keys.map(\.description) == ["1.1.1/1.1.1/1.1.99"])
  }

  /// Thousands of random edits against a dictionary: every scroll is what the model says, after each.
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func randomEditsMatchADictionary(seed: UInt64) throws {
    var random = SeededGenerator(seed)
    var document: [UInt8] = []
    var model: [Coordinate: String] = [:]
    let indices = [1, 1, 1, 2, 3, 99]
    for step in 0..<150 {
      let digits = (0..<9).map { _ in indices.randomElement(using: &random) ?? 1 }
      let arms = [digits[0..<3], digits[3..<6], digits[6..<9]].map {
        $0.map(String.init).joined(separator: ".")
      }
      let known = Bool.random(using: &random) ? model.keys.sorted().randomElement(using: &random) : nil
      let target = try known ?? at(arms.joined(separator: "/"))
      let text = String(repeating: "text ö\n", count: Int.random(in: 0...4, using: &random)) + "\(step)"
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        document = try edited(document, .remove, "", at: target)
        model[target] = nil
      case 1:
        document = try edited(document, .replace, text, at: target)
        model[target] = text
      default:
        document = try edited(document, .append, text, at: target)
        model[target, default: ""] += text
      }
      let found = try scrolls(document, bufferSize: [8, 13, 64, 65536].randomElement(using: &random) ?? 8)
      try #require(found == model, "step \(step)")
    }
  }
}

@Suite struct TableOfContentsTests {
  private func contents(_ text: String) throws -> String {
    let contents = TableOfContents(name: "test.phext", source: source(Array(text.utf8)))
    let length = try contents.measure()
    var lines: [UInt8] = []
    while case let more = try contents.nextLines(), !more.isEmpty { lines += more }
    #expect(lines.count == length)
    return String(decoding: lines, as: UTF8.self)
  }

  @Test func linesAreThoseOfSQ() throws {
    let exactly32 = String(repeating: "x", count: 32)
    #expect(try contents("") == "")
    #expect(try contents("short") == "* 1.1.1/1.1.1/1.1.1: short\n")
    #expect(try contents("\u{17}one\ntwo") == "* 1.1.1/1.1.1/1.1.2: one...\n")
    #expect(try contents(exactly32) == "* 1.1.1/1.1.1/1.1.1: \(exactly32)\n")
    #expect(try contents(exactly32 + "y") == "* 1.1.1/1.1.1/1.1.1: \(exactly32)...\n")
    #expect(try contents("a\u{17}b") == "* 1.1.1/1.1.1/1.1.1: a\n* 1.1.1/1.1.1/1.1.2: b\n")
  }

  @Test func noCharacterIsCutInTwo() throws {
    let text = String(repeating: "x", count: 31) + "ö and more"
    #expect(try contents(text) == "* 1.1.1/1.1.1/1.1.1: \(String(repeating: "x", count: 31))...\n")
  }

  @Test func aLongListComesInParts() throws {
    let text = (1...99).map { section in
      (1...99).map { "\(section).\($0)" }.joined(separator: "\u{17}")
    }.joined(separator: "\u{18}")
    #expect(try contents(text).split(separator: "\n").count == 99 * 99)
  }
}

@Suite struct TextCheckTests {
  private func accepts(_ bytes: [UInt8], cut: Int) -> Bool {
    var check = TextCheck()
    do {
      try check.check(Array(bytes[..<cut]).span)
      try check.check(Array(bytes[cut...]).span)
      try check.finish()
      return true
    } catch { return false }
  }

  @Test func agreesWithTheStandardLibraryWhereverTextIsCut() {
    var random = SeededGenerator(7)
    let interesting: [UInt8] = [
      0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0,
      0xF4, 0xF5,
      0xFF,
    ]
    for _ in 0..<20000 {
      let count = Int.random(in: 0...5, using: &random)
      let bytes = (0..<count).map { _ in interesting.randomElement(using: &random) ?? 0 }
      let valid = String(validating: bytes, as: UTF8.self) != nil
      for cut in 0...count { #expect(accepts(bytes, cut: cut) == valid, "\(bytes)") }
    }
  }

  @Test func breaksAreRefusedOtherControlsAreNot() {
    for byte in UInt8(0)..<0x20 {
      #expect(accepts([byte], cut: 0) == !PhextBreak.characters.contains(byte))
    }
  }
}
