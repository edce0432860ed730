import Glibc
import Linux
import Testing

@Suite struct FilesTests {
  @Test func `a directory is set right, and its names are listed`() throws {
    let scratch = try Scratch()
    let root = scratch.path
    try Files.makeDirectory(root + "/a", mode: 0o700)
    try Files.makeDirectory(root + "/a", mode: 0o755)
    var status = stat()
    #expect(lstat(root + "/a", &status) == 0 && status.st_mode == S_IFDIR | 0o755)
    try Files.replace(root + "/b", with: "x", mode: 0o600)
    try Files.link(root + "/c", to: "b")
    #expect(try Files.names(in: root).sorted() == ["a", "b", "c"])
    #expect(Files.linkTarget(root + "/c") == "b")
    #expect(Files.linkTarget(root + "/b") == nil)
  }

  @Test func `a name is bytes, and is shown without harm`() throws {
    let scratch = try Scratch()
    // caf\xe9, and a name that would turn a terminal's text around.
    mkdir(scratch.path + "/a", 0o700)
    let names: [[UInt8]] = [Array("caf".utf8) + [0xE9], Array("x\u{202E}\n\\".utf8)]
    for name in names {
      let path = Array((scratch.path + "/a/").utf8) + name + [0]
      close(path.withUnsafeBytes { creat($0.bindMemory(to: CChar.self).baseAddress!, 0o600) })
    }
    let directory = try Directory(scratch.path + "/a")
    var found: Set<String> = []
    while let name = try directory.next() {
      found.insert(name.description)
      #expect((name.text == nil) == (name.description == "caf\\xe9"))
      var status = stat()
      #expect(fstatat(directory.descriptor, name.bytes, &status, AT_SYMLINK_NOFOLLOW) == 0)
    }
    #expect(found == ["caf\\xe9", "x\\xe2\\x80\\xae\\x0a\\x5c"])
  }
}
