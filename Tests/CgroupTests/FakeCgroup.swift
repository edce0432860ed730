import Cgroup
import Glibc
import Testing

/// A cgroup tree of plain files in a temporary folder, gone with its owner.
final class FakeCgroup {
  let root: String
  static let path = "/pods.slice/pods-free.slice/pod-001-1.scope"

  init(_ files: [String: String] = [:]) throws {
    var template = Array("/tmp/cgroup-test-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    root = try #require(made)
    try create()
    for (name, text) in files { try write(name, text) }
  }

  func create() throws {
    var path = root
    for part in Self.path.split(separator: "/") {
      path += "/" + part
      try #require(mkdir(path, 0o755) == 0 || errno == EEXIST)
    }
  }

  /// What systemd does with the cgroup of a scope that ended.
  func vanish() {
    let directory = root + Self.path
    for name in entries(directory) { unlink("\(directory)/\(name)") }
    rmdir(directory)
  }

  func write(_ name: String, _ text: String) throws {
    let file = open("\(root)\(Self.path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    try #require(file >= 0)
    defer { close(file) }
    let bytes = Array(text.utf8)
    try #require(Glibc.write(file, bytes, bytes.count) == bytes.count)
  }

  func open() throws -> Cgroup { try Cgroup(path: Self.path, root: root) }

  deinit {
    vanish()
    var path = Self.path[...]
    while let slash = path.lastIndex(of: "/") {
      rmdir(root + path)
      path = path[..<slash]
    }
    rmdir(root)
  }

  private func entries(_ directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  private func open(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 { Glibc.open(path, flags, mode) }
}
