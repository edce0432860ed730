import Glibc
import Linux
import Testing
import Time

extension TreeTests {
  @Suite(.timeLimit(.minutes(5))) struct TreeSizeTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func size(_ path: String, entriesMax: Int = 100_000) -> TreeSize? {
      FileTree.size(path, entriesMax: entriesMax, until: .never)
    }

    @Test func `files of any name at any depth are counted, without their holes and once`() throws {
      let tree = scratch.directory("tree")
      try scratch.write("tree/a", "12345")
      mkdir(tree + "/b", 0o700)
      try scratch.write("tree/b/c", "123")
      #expect(size(tree) == TreeSize(bytes: 8, isComplete: true))
      link(tree + "/a", tree + "/b/same")
      symlink(tree, tree + "/b/link")
      mkfifo(tree + "/b/fifo", 0o600)
      let sparse = creat(tree + "/sparse", 0o600)
      ftruncate(sparse, 1 << 40)
      close(sparse)
      try acting(as: tenant) { try makeDeepTree(tree, depth: 5000) }
      // Half of the file for each of its two names.
      #expect(size(tree) == TreeSize(bytes: 2 + 2 + 3, isComplete: true))
    }

    @Test func `a count is bounded, and follows nothing`() throws {
      let tree = scratch.directory("tree")
      for number in 0..<100 { try scratch.write("tree/\(number)", "1234567890") }
      #expect(size(tree, entriesMax: 50) == TreeSize(bytes: 500, isComplete: false))
      let late = FileTree.size(tree, entriesMax: 1000, until: Clock.loop)
      #expect(late?.isComplete == false)
      symlink(tree, scratch.path + "/link")
      #expect(size(scratch.path + "/link") == nil)
      #expect(size(tree + "/1") == nil)
      #expect(size(scratch.path + "/none") == nil)
    }
  }
}
