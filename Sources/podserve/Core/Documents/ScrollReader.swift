/// One scroll with text: where it stands and which bytes of the document it is.
public struct Scroll: Equatable, Sendable {
  public let coordinate: Coordinate
  public let range: Range<Int>
}

/// Walks a document's scrolls in order with one buffer, whatever the document's size.
public final class ScrollReader {
  /// Fills the buffer from an offset of the document; returns the number of bytes, 0 at the end.
  public typealias Source = (_ offset: Int, _ buffer: UnsafeMutableRawBufferPointer) throws(StorageError) ->
    Int

  /// The first bytes of the scroll that `next` returned last, as many as were asked for.
  private(set) var summary: [UInt8] = []
  /// Bytes of the document seen so far; all of them once `next` returned nil.
  public var offset: Int { base + position }

  private let name: String
  private let source: Source
  private let summaryLength: Int
  private let buffer: UnsafeMutableRawBufferPointer
  private var filled = 0
  private var position = 0
  private var base = 0
  private var coordinate = Coordinate.origin
  private var textStart = 0

  /// - Parameters:
  ///   - name: What error messages call the document.
  ///   - summaryLength: How many first bytes of each scroll to keep in `summary`.
  public init(name: String, bufferSize: Int = 65536, summaryLength: Int = 0, source: @escaping Source) {
    self.name = name
    self.source = source
    self.summaryLength = summaryLength
    buffer = .allocate(byteCount: bufferSize, alignment: 16)
  }

  deinit {
    buffer.deallocate()
  }

  /// The next scroll that has text, nil at the end of the document.
  public func next() throws(StorageError) -> Scroll? {
    summary.removeAll(keepingCapacity: true)
    while true {
      if position == filled {
        base += filled
        position = 0
        filled = try source(base, buffer)
        if filled == 0 { return finishedScroll(endingAt: base, nextStart: base) }
      }
      let run = position
      position = nextBreak(from: run)
      if summary.count < summaryLength, position > run {
        summary.append(contentsOf: buffer[run..<min(position, run + summaryLength - summary.count)])
      }
      guard position < filled, let level = PhextBreak.level(of: buffer[position]) else { continue }
      position += 1
      let scroll = finishedScroll(endingAt: offset - 1, nextStart: offset)
      guard let next = coordinate.past(breakOf: level) else {
        throw .failed("\(name) has a scroll beyond coordinate \(Coordinate.maximum); it is left as it is.")
      }
      coordinate = next
      if let scroll { return scroll }
    }
  }

  private func finishedScroll(endingAt end: Int, nextStart: Int) -> Scroll? {
    defer { textStart = nextStart }
    return end > textStart ? Scroll(coordinate: coordinate, range: textStart..<end) : nil
  }

  /// The first break at or after an index of the buffer, else the end of what is filled.
  private func nextBreak(from start: Int) -> Int {
    let highBits: UInt64 = 0x8080_8080_8080_8080
    let blanks: UInt64 = 0x2020_2020_2020_2020
    var index = start
    while index < filled {
      // Eight bytes at once while none of them is a control character.
      while index + 8 <= filled {
        let word = buffer.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        guard (word &- blanks) & ~word & highBits == 0 else { break }
        index += 8
      }
      let end = min(index + 8, filled)
      while index < end {
        if PhextBreak.level(of: buffer[index]) != nil { return index }
        index += 1
      }
    }
    return filled
  }
}
