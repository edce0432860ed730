import Glibc
import Linux
import Testing

/// Root can make trees with another uid's owner, and only root's trees are hostile enough.
let isRoot = geteuid() == 0
let tenant: UInt32 = 1_900_000_007
let neighbour: UInt32 = 1_900_000_008

/// setfsuid(2): the calling thread's file operations are another user's, without root's rights. The module map of
/// Glibc leaves it out.
@_silgen_name("setfsuid") private func setfsuid(_ uid: UInt32) -> CInt
@_silgen_name("setfsgid") private func setfsgid(_ gid: UInt32) -> CInt

/// Runs `body` with the file system rights of another user.
func acting<Value>(as user: UInt32, _ body: () throws -> Value) rethrows -> Value {
  guard isRoot else { return try body() }
  _ = setfsgid(user)
  _ = setfsuid(user)
  defer {
    _ = setfsuid(0)
    _ = setfsgid(0)
  }
  return try body()
}

/// One after the other: they wait for the disk, each on a thread of Swift's pool, which has as many as the host has
/// processors, and tests of other suites wait for these threads.
@Suite(.serialized) enum TreeTests {}

/// A directory for one test, which is removed with all that a failed test left in it.
final class Scratch {
  let path: String
  /// How far a call of a random test gets before it is interrupted.
  var steps = 0

  /// - Parameter isInMemory: for a test with very many calls, each of which waits for the disk.
  init(isInMemory: Bool = false) throws {
    let directory = isInMemory && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/var/tmp"
    var template = Array("\(directory)/trees-XXXXXX".utf8CString)
    path = try #require(
      template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } }
        .map { String(cString: $0) })
    // Others may pass, so that a tenant reaches its own directory.
    chmod(path, 0o711)
  }

  deinit {
    try? FileTree.remove(path)
    rmdir(path)
  }

  /// A directory of a user's.
  func directory(_ name: String, of user: UInt32 = tenant) -> String {
    let directory = "\(path)/\(name)"
    mkdir(directory, 0o700)
    if isRoot { chown(directory, user, user) }
    return directory
  }

  /// A file with this content.
  func write(_ name: String, _ content: String) throws {
    try Files.replace("\(path)/\(name)", with: content, mode: 0o600)
  }

  func exists(_ name: String) -> Bool {
    var status = stat()
    return lstat("\(path)/\(name)", &status) == 0
  }

  /// Names that begin with a dot: what a finished call must not leave.
  func leftovers() throws -> [String] { try Files.names(in: path).filter { $0.hasPrefix(".") } }
}

/// Runs a program of the host; whether it succeeded.
func run(_ arguments: String...) throws -> Bool {
  let null = try FileDescriptor.open("/dev/null", O_RDWR)
  return try ChildProcess(
    arguments[0], arguments, environment: nil, descriptors: [null.raw, null.raw, null.raw]
  ).wait()
    == .exited(0)
}

/// What is in a tree, in a form that does not depend on inode numbers: a line for each entry.
func contents(_ path: String) throws -> [String: String] {
  var lines: [String: String] = [:]
  var names: [UInt64: [String]] = [:]
  func visit(_ directory: consuming Directory, _ path: String) throws {
    while let name = try directory.next() {
      let here = "\(path)/\(name)"
      var status = stat()
      #expect(fstatat(directory.descriptor, name.bytes, &status, AT_SYMLINK_NOFOLLOW) == 0)
      switch status.st_mode & S_IFMT {
      case S_IFDIR:
        lines[here] = "directory"
        let below = openat(directory.descriptor, name)
        try visit(Directory(owning: FileDescriptor(owning: below), here), here)
      case S_IFLNK:
        var text = [CChar](repeating: 0, count: 5000)
        readlinkat(directory.descriptor, name.bytes, &text, 4999)
        lines[here] = "link \(text.prefix { $0 != 0 })"
      case S_IFREG:
        let file = FileDescriptor(owning: openat(directory.descriptor, name))
        // Sparse files are compared by size and beginning.
        let bytes = try file.readAll(limit: 100_000)
        lines[here] =
          "file \(status.st_size) \(status.st_mode & 0o700) \(status.st_mtim.tv_sec) \(bytes.hashValue)"
        if status.st_nlink > 1 { names[UInt64(status.st_ino), default: []].append(here) }
      default: lines[here] = "other \(status.st_mode & S_IFMT)"
      }
    }
  }
  try visit(Directory(path), "")
  for same in names.values where same.count > 1 {
    for name in same { lines[name, default: ""] += " = \(same.sorted())" }
  }
  return lines
}

private func openat(_ directory: CInt, _ name: FileName) -> CInt {
  // The fixed form of openat(2) that Swift can call takes the path from /proc.
  var path = Array("/proc/self/fd/\(directory)/".utf8CString.dropLast())
  path += name.bytes
  return open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
}
