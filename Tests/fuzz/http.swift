// sources: Sources/HTTPWire/*.swift

/// Parses the bytes of a connection as a whole and cut in two: requests, bodies and errors must be the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTP(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: data, count: size))
  guard let first = input.first else { return 0 }
  let bytes = Array(input.dropFirst())
  let cut = bytes.isEmpty ? 0 : Int(first) % bytes.count
  precondition(serve([bytes]) == serve([Array(bytes[..<cut]), Array(bytes[cut...])]))
  if let query = try? Query(bytes[...]) { precondition(query["p"].map { $0.count <= bytes.count } ?? true) }
  return 0
}

private func serve(_ parts: [[UInt8]]) -> [String] {
  var results: [String] = []
  var input: [UInt8] = []
  var parser = HeadParser()
  var body: BodyDecoder?
  var content: [UInt8] = []
  for part in parts {
    input += part
    while true {
      do throws(HTTPError) {
        if var decoder = body {
          var position = 0
          while let run = try decoder.next(input.span, from: &position) {
            precondition(!run.isEmpty && run.upperBound <= input.count)
            content += input[run]
          }
          input.removeFirst(position)
          body = decoder
          guard decoder.isComplete else { break }
          results.append(String(decoding: content, as: UTF8.self))
          (body, content) = (nil, [])
        } else {
          guard let (head, length) = try parser.parse(input.span) else { break }
          precondition((16...32770).contains(length) && !head.method.isEmpty && !head.path.isEmpty)
          results.append("\(head.method) \(head.path) \(head.framing)")
          input.removeFirst(length)
          parser = HeadParser()
          body = BodyDecoder(head.framing)
        }
      } catch {
        precondition((400...599).contains(error.status))
        return results + ["\(error.status)"]
      }
    }
  }
  return results
}
