// sources: Sources/TokenCheck/Tokens/{Base64URL,TokenError,TokenHeader}.swift Sources/TokenCheck/Keys/Algorithm.swift Sources/TokenCheck/Requests/CanonicalPath.swift
// modules: JSONFormat

import JSONFormat

/// What reads a token and a path before anything is known of who sent them. Whatever is accepted has one spelling.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzToken(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: data, count: size))
  if let decoded = Base64URL.decode(input.span) {
    precondition(Base64URL.encode(decoded) == input)
    _ = try? TokenHeader(decoded)
  }
  _ = try? TokenHeader(input)
  // Strictly read is also read leniently, with the same result.
  if let strict = JSON(strictly: input) {
    precondition(strict.text == JSON(parsing: String(decoding: input, as: UTF8.self))?.text)
    precondition(JSON(strictly: Array(strict.text.utf8))?.text == strict.text)
  }
  if let path = try? CanonicalPath(target: input.span) {
    precondition(path.bytes.first == UInt8(ascii: "/") && path.bytes.count <= size)
    precondition((try? CanonicalPath(target: path.bytes.span)) == path && path.begins(with: path))
  }
  return 0
}
