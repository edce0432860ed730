// sources: Sources/podserve/Core/Documents/{Coordinate,PhextBreak,StorageError,ScrollReader,DocumentEdit,TableOfContents,TextCheck}.swift Sources/podserve/Core/Program/{JSONValue,UserTable}.swift

/// Applies an edit to a document: the edited scroll must have the new text, and all other scrolls must be unchanged.
/// The same bytes are also parsed as a users file, a coordinate and a text, which must not crash.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPhext(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: data, count: size))
  _ = try? UserTable(json: input)
  if let coordinate = Coordinate(input) {
    precondition(Coordinate(coordinate.description.utf8) == coordinate)
  }
  var check = TextCheck()
  let hasBreak = input.contains { PhextBreak.level(of: $0) != nil }
  let isText = (try? check.check(input.span)) != nil && (try? check.finish()) != nil
  precondition(isText == (!hasBreak && String(validating: input, as: UTF8.self) != nil))
  guard input.count >= 11 else { return 0 }

  let numbers = input[1..<10].map { String(Int($0) % 4 == 3 ? 99 : Int($0) % 4 + 1) }
  let arms = stride(from: 0, to: 9, by: 3).map { numbers[$0..<$0 + 3].joined(separator: ".") }
  guard let target = Coordinate(arms.joined(separator: "/").utf8) else {
    preconditionFailure("no coordinate")
  }
  let document = Array(input[10...])
  guard var model = scrolls(document) else { return 0 }
  let edit: Edit = input[0] % 3 == 0 ? .append : input[0] % 3 == 1 ? .replace : .remove
  let text = Array(repeating: UInt8(ascii: "t"), count: Int(input[0]) / 64)
  switch edit {
  case .append: model[target, default: []] += text
  case .replace: model[target] = text
  case .remove: model[target] = nil
  }
  model = model.filter { !$0.value.isEmpty }
  precondition(scrolls(edited(document, edit, text, target)) == model)

  let contents = TableOfContents(name: "f", source: source(document))
  let length = try? contents.measure()
  var sum = 0
  while let lines = try? contents.nextLines(), !lines.isEmpty { sum += lines.count }
  precondition(length == sum)
  return 0
}

private func source(_ document: [UInt8]) -> ScrollReader.Source {
  { (offset, buffer) throws(StorageError) in
    let part = document.dropFirst(offset).prefix(buffer.count)
    buffer.copyBytes(from: part)
    return part.count
  }
}

private func reader(_ document: [UInt8]) -> ScrollReader {
  ScrollReader(name: "f", bufferSize: 24, source: source(document))
}

private func scrolls(_ document: [UInt8]) -> [Coordinate: [UInt8]]? {
  var result: [Coordinate: [UInt8]] = [:]
  let reader = reader(document)
  do throws(StorageError) {
    while let scroll = try reader.next() { result[scroll.coordinate] = Array(document[scroll.range]) }
    return result
  } catch { return nil }
}

private func edited(_ document: [UInt8], _ edit: Edit, _ text: [UInt8], _ target: Coordinate) -> [UInt8] {
  guard let place = try? Place(of: target, in: reader(document)),
    let pieces = pieces(
      applying: edit, textCount: text.count, at: target, place: place, documentSize: document.count)
  else { return document }
  return pieces.flatMap { piece -> [UInt8] in
    switch piece {
    case .old(let range): Array(document[range])
    case .bytes(let bytes): bytes
    case .text: text
    }
  }
}
