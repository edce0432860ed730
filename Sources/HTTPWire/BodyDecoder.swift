/// Extracts a request's body from its framing; the input may be cut anywhere.
public struct BodyDecoder: Sendable {
  private enum State {
    case content(Int)
    case size(digits: Int, value: Int)
    case sizeExtension(value: Int)
    case sizeLineFeed(value: Int)
    case chunk(Int)
    case chunkReturn
    case chunkLineFeed
    case trailer(lineLength: Int)
    case trailerLineFeed(lineLength: Int)
    case done
  }

  private var state: State
  /// Bytes that are neither content nor chunk sizes: extensions and trailers, which are ignored.
  private var overhead = 0
  private static let maximumOverhead = 8192

  public init(_ framing: RequestHead.Framing) {
    state =
      switch framing {
      case .none, .length(0): .done
      case .length(let length): .content(length)
      case .chunked: .size(digits: 0, value: 0)
      }
  }

  /// The body's last byte, trailers included, has been seen.
  public var isComplete: Bool {
    if case .done = state { true } else { false }
  }

  /// The next run of content in `input` from `position` on; moves `position` past it.
  /// - Returns: A non-empty range of `input`, or nil when the input is used up or the body complete.
  /// - Throws: 400 for bad framing, 431 for too many trailers; the connection cannot be used any further.
  public mutating func next(_ input: Span<UInt8>, from position: inout Int) throws(HTTPError) -> Range<Int>? {
    while position < input.count {
      switch state {
      case .done:
        return nil
      case .content(let left):
        let run = take(left, of: input, from: &position)
        state = run.count == left ? .done : .content(left - run.count)
        return run
      case .chunk(let left):
        let run = take(left, of: input, from: &position)
        state = run.count == left ? .chunkReturn : .chunk(left - run.count)
        return run
      default:
        try step(input[position])
        position += 1
      }
    }
    return nil
  }

  private func take(_ limit: Int, of input: Span<UInt8>, from position: inout Int) -> Range<Int> {
    let run = position..<position + min(limit, input.count - position)
    position = run.upperBound
    return run
  }

  private mutating func step(_ byte: UInt8) throws(HTTPError) {
    switch state {
    case .size(let digits, let value):
      if let digit = hexadecimalDigit(byte) {
        // 15 digits keep the value within Int; the caller's own limit is far lower.
        guard digits < 15 else { throw HTTPError(413, "A chunk is beyond every limit.") }
        state = .size(digits: digits + 1, value: value << 4 | digit)
      } else if digits > 0, byte == 0x0D {
        state = .sizeLineFeed(value: value)
      } else if digits > 0, byte == UInt8(ascii: ";") || isBlank(byte) {
        state = .sizeExtension(value: value)
      } else {
        throw HTTPError(400, "A chunk's size is not a hexadecimal number.")
      }
    case .sizeExtension(let value):
      if byte == 0x0D { state = .sizeLineFeed(value: value) } else { try countOverhead(byte) }
    case .sizeLineFeed(let value):
      try expect(0x0A, byte)
      state = value == 0 ? .trailer(lineLength: 0) : .chunk(value)
    case .chunkReturn:
      try expect(0x0D, byte)
      state = .chunkLineFeed
    case .chunkLineFeed:
      try expect(0x0A, byte)
      state = .size(digits: 0, value: 0)
    case .trailer(let length):
      if byte == 0x0D {
        state = .trailerLineFeed(lineLength: length)
      } else {
        try countOverhead(byte)
        state = .trailer(lineLength: length + 1)
      }
    case .trailerLineFeed(let length):
      try expect(0x0A, byte)
      state = length == 0 ? .done : .trailer(lineLength: 0)
    case .content, .chunk, .done:
      break
    }
  }

  private func expect(_ wanted: UInt8, _ byte: UInt8) throws(HTTPError) {
    guard byte == wanted else { throw HTTPError(400, "A chunk does not end where its size says.") }
  }

  private mutating func countOverhead(_ byte: UInt8) throws(HTTPError) {
    guard byte == 0x09 || (byte >= 0x20 && byte != 0x7F) else {
      throw HTTPError(400, "A control character in a chunk extension or trailer.")
    }
    overhead += 1
    guard overhead <= Self.maximumOverhead else {
      throw HTTPError(431, "More than \(Self.maximumOverhead) bytes of chunk extensions and trailers.")
    }
  }
}

func hexadecimalDigit(_ byte: UInt8) -> Int? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte) - 0x30
  case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte) - 0x57
  case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte) - 0x37
  default: nil
  }
}
