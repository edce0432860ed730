internal import Glibc
internal import PodModel

/// The host's files below a root, which a test may choose.
struct Tree {
  let root: String

  init(root: String) {
    self.root = root.hasSuffix("/") ? String(root.dropLast()) : root
  }

  private func absolute(_ path: String) -> String { "\(root)/\(path)" }

  func exists(_ path: String) -> Bool { access(absolute(path), F_OK) == 0 }

  /// The first 64 KiB of a file; nil when it cannot be opened or read. A PSI file of an older kernel can be opened
  /// although PSI is off, and only the read fails.
  func read(_ path: String) -> String? {
    guard case .bytes(let content) = content(path, limit: 65_536) else { return nil }
    return String(decoding: content, as: UTF8.self)
  }

  /// What a file holds, or at least the first `limit` bytes.
  func content(_ path: String, limit: Int) -> SettingsFiles.Content {
    let file = open(absolute(path), O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return Self.failure() }
    defer { close(file) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while content.count < limit {
      let got = Glibc.read(file, &chunk, chunk.count)
      if got < 0 && errno == EINTR { continue }
      if got < 0 { return Self.failure() }
      if got == 0 { break }
      content.append(contentsOf: chunk[..<got])
    }
    return .bytes(content)
  }

  private static func failure() -> SettingsFiles.Content {
    let code = errno
    return code == ENOENT ? .missing : .unreadable(String(cString: strerror(code)))
  }

  /// The words of a file such as `cgroup.controllers`; nil when it cannot be read.
  func words(_ path: String) -> [Substring]? {
    read(path)?.split(whereSeparator: { $0.isWhitespace })
  }

  /// What a symbolic link says; nil when there is none.
  func link(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink(absolute(path), &buffer, buffer.count)
    guard count >= 0 else { return nil }
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
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
