import Glibc
import Linux

/// The open streams, as a file of `/run`: nginx does not say again what is open, so a podgate that starts reads it there.
///
/// A record of 512 bytes for each place of the table, text and then zeros. A record lies within one page, so a podgate that
/// is killed leaves no half of one.
final class StreamFile {
  static let recordSize = 512

  private let file: FileDescriptor

  init(_ path: String) throws(Errno) {
    file = try FileDescriptor.open(path, O_RDWR | O_CREAT, mode: 0o600)
  }

  /// What the podgate before this one has left.
  func read() throws(Errno) -> [(place: Int, request: AdmittedRequest)] {
    let bytes = try file.readAll(limit: Self.recordSize * Admissions.most)
    return stride(from: 0, to: bytes.count, by: Self.recordSize).compactMap { start in
      let record = bytes[start..<min(start + Self.recordSize, bytes.count)].prefix { $0 != 0 }
      return AdmittedRequest(record: record).map { (start / Self.recordSize, $0) }
    }
  }

  func write(_ record: String, at place: Int) throws(Errno) {
    var bytes = Array(record.utf8)
    guard bytes.count < Self.recordSize else { throw Errno(ENAMETOOLONG, "write a record of a stream") }
    bytes += [UInt8](repeating: 0, count: Self.recordSize - bytes.count)
    try put(bytes, at: place)
  }

  func erase(_ place: Int) throws(Errno) {
    try put([0], at: place)
  }

  func empty() { _ = ftruncate(file.raw, 0) }

  private func put(_ bytes: [UInt8], at place: Int) throws(Errno) {
    let count = pwrite(file.raw, bytes, bytes.count, off_t(place * Self.recordSize))
    guard count == bytes.count else { throw Errno.last("write a record of a stream") }
  }
}
