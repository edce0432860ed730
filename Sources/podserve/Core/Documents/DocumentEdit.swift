/// A change to one scroll of a document.
public enum Edit: Sendable {
  /// Text is added to the scroll's end; the scroll is made if there is none.
  case append
  /// Text replaces the scroll's.
  case replace
  case remove
}

/// Where a coordinate stands in a document: its own text and its neighbours.
public struct Place: Equatable, Sendable {
  /// The last scroll with text before the coordinate.
  public private(set) var before: Scroll?
  /// The coordinate's own text.
  public private(set) var own: Range<Int>?
  /// The first scroll with text after it.
  public private(set) var after: Scroll?

  /// A place in a document without any text.
  public init() {}

  /// Reads as far as the scroll after the coordinate.
  public init(of target: Coordinate, in reader: ScrollReader) throws(StorageError) {
    while let scroll = try reader.next() {
      if scroll.coordinate < target {
        before = scroll
      } else if scroll.coordinate == target {
        own = scroll.range
      } else {
        after = scroll
        return
      }
    }
  }
}

/// One run of bytes of a document that is to be written.
public enum Piece: Equatable, Sendable {
  /// Bytes of the document as it is.
  case old(Range<Int>)
  case bytes([UInt8])
  /// The text of the request.
  case text
}

/// The document after an edit, as runs of bytes; nil when the edit changes nothing.
///
/// Bytes before and after the scroll are kept; only the breaks around it are rewritten, as few as lead from
/// neighbour to neighbour.
public func pieces(
  applying edit: Edit, textCount: Int, at target: Coordinate, place: Place, documentSize: Int
) -> [Piece]? {
  var kept: [Piece] = []
  switch edit {
  case .append where textCount == 0: return nil
  case .append:
    if let own = place.own { kept.append(.old(own)) }
    kept.append(.text)
  case .replace where textCount > 0:
    kept.append(.text)
  case .replace, .remove:
    guard place.own != nil else { return nil }
  }

  var result: [Piece] = []
  var position = Coordinate.origin
  if let before = place.before {
    result.append(.old(0..<before.range.upperBound))
    position = before.coordinate
  }
  if !kept.isEmpty {
    result.append(.bytes(PhextBreak.between(position, target)))
    result += kept
    position = target
  }
  if let after = place.after {
    result.append(.bytes(PhextBreak.between(position, after.coordinate)))
    result.append(.old(after.range.lowerBound..<documentSize))
  }
  return result
}
