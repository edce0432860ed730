/// SQ's `toc`: one line `* COORDINATE: FIRST WORDS` a scroll, made while it is sent.
///
/// The first words are the first line, 32 bytes of it at most; `...` follows when the scroll has more
/// (libphext, `textmap` and `create_summary`).
public final class TableOfContents {
  private static let summaryLength = 32
  private let makeReader: () -> ScrollReader
  private var reader: ScrollReader

  /// - Parameter makeReader: A new reader at the document's beginning, with one summary byte more than 32.
  public init(name: String, source: @escaping ScrollReader.Source) {
    makeReader = {
      ScrollReader(name: name, bufferSize: 16384, summaryLength: Self.summaryLength + 1, source: source)
    }
    reader = makeReader()
  }

  /// The length in bytes of all lines; starts from the beginning again.
  public func measure() throws(StorageError) -> Int {
    reader = makeReader()
    var length = 0
    while let line = try nextLine() { length += line.count }
    reader = makeReader()
    return length
  }

  /// Some more lines, about 16 kB; empty at the end.
  public func nextLines() throws(StorageError) -> [UInt8] {
    var lines: [UInt8] = []
    while lines.count < 16384, let line = try nextLine() { lines += line }
    return lines
  }

  private func nextLine() throws(StorageError) -> [UInt8]? {
    guard let scroll = try reader.next() else { return nil }
    let words = Self.firstWords(reader.summary)
    let dots = words.count < scroll.range.count ? "..." : ""
    return Array("* \(scroll.coordinate): ".utf8) + words + Array("\(dots)\n".utf8)
  }

  /// Up to a line break or 32 bytes, but no part of a character.
  private static func firstWords(_ summary: [UInt8]) -> ArraySlice<UInt8> {
    if let lineEnd = summary.prefix(summaryLength).firstIndex(of: 0x0A) { return summary[..<lineEnd] }
    guard summary.count > summaryLength else { return summary[...] }
    var end = summaryLength
    while end > 0, summary[end] & 0xC0 == 0x80 { end -= 1 }
    return summary[..<end]
  }
}
