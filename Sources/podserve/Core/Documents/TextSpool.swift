internal import Glibc

/// The text of a request on its way into a document: in memory while small, then in a file without a name
/// on the user's disk, so that 500 uploads at once cost no more memory than 500 small ones.
public final class TextSpool {
  private static let memoryLimit = 32768
  private let directory: UserDirectory
  private var check = TextCheck()
  private var memory: [UInt8] = []
  private var file: OpenFile?
  private(set) var count = 0

  init(directory: UserDirectory) {
    self.directory = directory
  }

  func append(_ bytes: Span<UInt8>) throws(StorageError) {
    try check.check(bytes)
    count += bytes.count
    bytes.withUnsafeBufferPointer { memory.append(contentsOf: $0) }
    if memory.count > Self.memoryLimit { try spill() }
  }

  func finish() throws(StorageError) {
    try check.finish()
    if file != nil { try spill() }
  }

  private func spill() throws(StorageError) {
    let target: OpenFile
    if let file { target = file } else { target = try directory.openUnnamed() }
    file = target
    let code = memory.withUnsafeBytes { target.write($0) }
    guard code == 0 else { throw UserDirectory.writeError("The text", code) }
    memory.removeAll(keepingCapacity: false)
  }

  /// Writes all of the text to a document.
  func write(to document: OpenFile, named name: String) throws(StorageError) {
    if let file { return try copy(0..<count, of: file, to: document, named: name) }
    let code = memory.withUnsafeBytes { document.write($0) }
    guard code == 0 else { throw UserDirectory.writeError(name, code) }
  }
}

/// Copies a run of one file to the end of another, 64 kB at a time.
func copy(_ range: Range<Int>, of source: OpenFile, to target: OpenFile, named name: String)
  throws(StorageError)
{
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
  defer { buffer.deallocate() }
  var offset = range.lowerBound
  while offset < range.upperBound {
    let part = UnsafeMutableRawBufferPointer(
      rebasing: buffer[..<min(buffer.count, range.upperBound - offset)])
    guard let count = source.read(at: offset, into: part) else {
      throw .failed("\(name) cannot be read: \(describe(errno)). Nothing has changed.")
    }
    guard count == part.count else {
      throw .failed("\(name) became shorter while it was read. Nothing has changed.")
    }
    let code = target.write(UnsafeRawBufferPointer(part))
    guard code == 0 else { throw UserDirectory.writeError(name, code) }
    offset += count
  }
}
