internal import Glibc

/// The host's files below a root that a test may choose.
struct Tree {
  let root: String

  init(root: String) {
    self.root = root.hasSuffix("/") ? String(root.dropLast()) : root
  }

  private func absolute(_ path: String) -> String { "\(root)/\(path)" }

  func exists(_ path: String) -> Bool { access(absolute(path), F_OK) == 0 }

  /// The first 64 KiB of a file; nil when it cannot be opened or read. A switched-off PSI file of an
  /// older kernel can be opened and fails on read, so reading is part of the question.
  func read(_ path: String) -> String? {
    let file = open(absolute(path), O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while content.count < 65_536 {
      let got = Glibc.read(file, &chunk, chunk.count)
      if got < 0 && errno == EINTR { continue }
      if got < 0 { return nil }
      if got == 0 { break }
      content.append(contentsOf: chunk[..<got])
    }
    return String(decoding: content, as: UTF8.self)
  }

  /// The words of a file such as `cgroup.controllers`; nil when it cannot be read.
  func words(_ path: String) -> [Substring]? {
    read(path)?.split(whereSeparator: { $0.isWhitespace })
  }

  /// The names in a directory; empty when there is none.
  func list(_ path: String) -> [String] {
    guard let directory = opendir(absolute(path)) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix(while: { $0 != 0 }), as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
