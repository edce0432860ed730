import Glibc
import Linux
import Testing

@Suite struct FileTreeTests {
  private let scratch: String

  init() throws {
    var template = Array("/tmp/linux-test-XXXXXX".utf8CString)
    scratch = try #require(
      template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } }
        .map { String(cString: $0) })
  }

  private func write(_ path: String) throws {
    try Files.replace("\(scratch)/\(path)", with: "x", mode: 0o600)
  }

  @Test func `a tree is removed, and a link's target stays`() throws {
    try Files.makeDirectory(scratch + "/tree", mode: 0o700)
    try Files.makeDirectory(scratch + "/tree/inner", mode: 0o755)
    try Files.makeDirectory(scratch + "/other", mode: 0o700)
    try write("tree/inner/file")
    try write("other/file")
    symlink(scratch + "/other", scratch + "/tree/link")
    try FileTree.remove(scratch + "/tree")
    #expect(!Files.exists(scratch + "/tree"))
    #expect(Files.exists(scratch + "/other/file"))
    try FileTree.remove(scratch + "/tree")
    try FileTree.remove(scratch)
    #expect(!Files.exists(scratch))
  }

  @Test func `a tree gets an owner, and one that nests too deep is refused`() throws {
    var path = scratch
    for _ in 0..<40 {
      path += "/d"
      mkdir(path, 0o700)
    }
    try FileTree.changeOwner(scratch, to: geteuid())
    for _ in 0..<40 {
      path += "/d"
      mkdir(path, 0o700)
    }
    #expect(throws: Errno.self) { try FileTree.changeOwner(scratch, to: geteuid()) }
    // The test's own way to remove it.
    for _ in 0..<80 {
      rmdir(path)
      path.removeLast(2)
    }
    try FileTree.remove(scratch)
  }

  @Test func `a directory is set right, and its names are listed`() throws {
    try Files.makeDirectory(scratch + "/a", mode: 0o700)
    try Files.makeDirectory(scratch + "/a", mode: 0o755)
    var status = stat()
    #expect(lstat(scratch + "/a", &status) == 0 && status.st_mode == S_IFDIR | 0o755)
    try write("b")
    try Files.link(scratch + "/c", to: "b")
    #expect(try Files.names(in: scratch).sorted() == ["a", "b", "c"])
    #expect(Files.linkTarget(scratch + "/c") == "b")
    #expect(Files.linkTarget(scratch + "/b") == nil)
    try FileTree.remove(scratch)
  }
}
