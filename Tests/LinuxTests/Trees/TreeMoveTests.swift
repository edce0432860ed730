import Glibc
import Linux
import Testing

extension TreeTests {
  @Suite(.timeLimit(.minutes(10))) struct TreeMoveTests {
    private let scratch: Scratch
    private let source: String
    private let target: String

    init() throws {
      try self.init(Scratch())
    }

    private init(_ scratch: Scratch) throws {
      self.scratch = scratch
      source = scratch.directory("source")
      target = scratch.path + "/target"
    }

    /// One of everything that a tenant can make.
    private func makeTree() throws {
      try acting(as: tenant) {
        try scratch.write("source/file", "content")
        chmod(source + "/file", 0o4777)
        mkdir(source + "/a", 0o777)
        mkdir(source + "/a/b", 0o777)
        try scratch.write("source/a/b/secret", "")
        chmod(source + "/a/b/secret", 0o000)
        link(source + "/file", source + "/a/b/same")
        link(source + "/file", source + "/z")
        symlink("../../etc/passwd", source + "/a/link")
        mkfifo(source + "/a/fifo", 0o666)
        var times = [timeval(tv_sec: 2_000_000, tv_usec: 0), timeval(tv_sec: 2_000_000, tv_usec: 0)]
        utimes(source + "/file", &times)
        var name = Array((source + "/a/").utf8CString.dropLast())
        name += [CChar(bitPattern: 0xE9), 0]
        close(creat(name, 0o600))
        let sparse = creat(source + "/sparse", 0o600)
        pwrite(sparse, "x", 1, 1 << 39)
        ftruncate(sparse, 1 << 40)
        close(sparse)
      }
    }

    @Test func `a tree is moved into new inodes with all that it has`() throws {
      try makeTree()
      let before = try contents(source)
      let inodes = try inodes(of: source)
      let moved = try FileTree.moveIntoNewInodes(
        from: source, to: target, owner: isRoot ? neighbour : geteuid())
      #expect(moved.files == 6 && moved.links == 2 && moved.left == 0)
      #expect(try contents(target) == before)
      #expect(try inodes.isDisjoint(with: self.inodes(of: target)))
      #expect(!scratch.exists("source"))
      #expect(try scratch.leftovers() == [])
      var status = stat()
      lstat(target + "/file", &status)
      #expect(status.st_mode & 0o7777 == 0o700 && status.st_uid == (isRoot ? neighbour : geteuid()))
      #expect(status.st_mtim.tv_sec == 2_000_000)
      lstat(target + "/sparse", &status)
      #expect(status.st_size == 1 << 40 && status.st_blocks < 100)
      lstat(target + "/a/b", &status)
      #expect(status.st_mode & 0o7777 == 0o700)
      // Again: it has been moved already.
      #expect(try FileTree.moveIntoNewInodes(from: source, to: target, owner: tenant) == MovedTree())
      #expect(try contents(target) == before)
    }

    @Test func `a move that is interrupted anywhere is continued, and loses nothing`() throws {
      try TreeMoveTests(Scratch(isInMemory: true)).interruptEverywhere()
    }

    private func interruptEverywhere() throws {
      for stop in 0..<40 {
        if !scratch.exists("source") { _ = scratch.directory("source") }
        try makeTree()
        let before = try contents(source)
        var calls = 0
        while scratch.exists("source") {
          var steps = 0
          calls += 1
          do throws(Errno) {
            try FileTree.moveIntoNewInodes(from: source, to: target, owner: geteuid()) {
              steps += 1
              return steps <= stop + calls
            }
          } catch {
            #expect(error.code == ECANCELED)
          }
        }
        #expect(try contents(target) == before)
        #expect(try scratch.leftovers().filter { !$0.hasPrefix(".removing") } == [])
        try FileTree.moveIntoNewInodes(from: source, to: target, owner: geteuid())
        #expect(try scratch.leftovers() == [])
        try FileTree.remove(target)
      }
    }

    @Test func `what is removed while it was being moved leaves nothing, also no second name`() throws {
      try makeTree()
      var steps = 0
      let error = #expect(throws: Errno.self) {
        try FileTree.moveIntoNewInodes(from: source, to: target, owner: geteuid()) {
          steps += 1
          return steps <= 12
        }
      }
      #expect(error?.code == ECANCELED)
      #expect(try scratch.leftovers().count == 1)
      try FileTree.remove(source)
      try FileTree.remove(target)
      #expect(try Files.names(in: scratch.path) == [])
    }

    @Test func `a large tree is moved in batches, and a deep one`() throws {
      try acting(as: tenant) {
        try makeDeepTree(source, depth: 2000)
        for number in 0..<10_000 { close(creat("\(source)/\(number)", 0o600)) }
        for number in 0..<200 {
          mkdir("\(source)/d\(number)", 0o700)
          try scratch.write("source/d\(number)/file", "\(number)")
        }
      }
      let moved = try FileTree.moveIntoNewInodes(from: source, to: target, owner: geteuid())
      #expect(moved.files == 10_220)
      #expect(try Files.names(in: target).count == 10_201)
      #expect(!scratch.exists("source"))
    }

    @Test(.enabled(if: isRoot)) func `whoever had the old tree open has nothing of the new one`() throws {
      try makeTree()
      let mates = scratch.directory("mate")
      let (file, directory) = acting(as: tenant) {
        link(source + "/file", mates + "/stolen")
        return (open(source + "/file", O_RDWR), open(source + "/a/b", O_RDONLY | O_DIRECTORY))
      }
      defer {
        close(file)
        close(directory)
      }
      try FileTree.moveIntoNewInodes(from: source, to: target, owner: neighbour)
      pwrite(file, "changed", 7, 0)
      acting(as: tenant) {
        #expect(creat("/proc/self/fd/\(directory)/planted", 0o600) < 0)
        #expect(open(target + "/file", O_RDONLY) < 0)
      }
      #expect(!scratch.exists("target/a/b/planted"))
      let content = try FileDescriptor.open(target + "/file", O_RDONLY).readAll(limit: 100)
      #expect(content == Array("content".utf8))
      // The mate's name is still its own.
      var status = stat()
      #expect(lstat(mates + "/stolen", &status) == 0 && status.st_uid == tenant)
    }

    @Test(.enabled(if: isRoot)) func `between two file systems`() throws {
      try makeTree()
      let before = try contents(source)
      mkdir(scratch.path + "/tmpfs", 0o711)
      guard try run("mount", "-t", "tmpfs", "-o", "mode=0711", "tmpfs", scratch.path + "/tmpfs") else {
        return
      }
      defer { _ = try? run("umount", scratch.path + "/tmpfs") }
      let other = scratch.path + "/tmpfs/target"
      try FileTree.moveIntoNewInodes(from: source, to: other, owner: neighbour)
      #expect(try contents(other) == before)
      try FileTree.moveIntoNewInodes(from: other, to: target, owner: tenant)
      #expect(try contents(target) == before)
      #expect(try Files.names(in: scratch.path + "/tmpfs") == [])
    }

    @Test(.enabled(if: isRoot)) func `what cannot be moved is named, and the rest is moved`() throws {
      try makeTree()
      let outside = scratch.directory("outside")
      try scratch.write("outside/precious", "x")
      mkdir(source + "/mounted", 0o700)
      guard try run("chattr", "+i", source + "/file"),
        try run("mount", "--bind", outside, source + "/mounted")
      else {
        return
      }
      defer {
        _ = try? run("umount", source + "/mounted")
        _ = try? run("chattr", "-i", source + "/file")
      }
      let error = #expect(throws: Errno.self) {
        try FileTree.moveIntoNewInodes(from: source, to: target, owner: neighbour)
      }
      #expect(error?.context.hasSuffix(" more") == true)
      #expect(scratch.exists("source/file") && scratch.exists("outside/precious"))
      #expect(scratch.exists("target/sparse") && !scratch.exists("target/mounted/precious"))
      #expect(try run("umount", source + "/mounted") && run("chattr", "-i", source + "/file"))
      try FileTree.moveIntoNewInodes(from: source, to: target, owner: neighbour)
      #expect(
        !scratch.exists("source") && scratch.exists("target/file") && scratch.exists("outside/precious"))
      #expect(try scratch.leftovers() == [])
    }

    @Test(.enabled(if: isRoot)) func `a tree that a tenant reaches is refused`() throws {
      let pod = scratch.directory("pod")
      let inner = scratch.directory("pod/user")
      for (from, to) in [(inner, target), (source, pod + "/target")] {
        let error = #expect(throws: Errno.self) {
          try FileTree.moveIntoNewInodes(from: from, to: to, owner: tenant)
        }
        #expect(error?.code == EPERM)
      }
      #expect(scratch.exists("pod/user") && scratch.exists("source"))
    }

    @Test func `a tree changes its owner`() throws {
      try makeTree()
      try FileTree.changeOwner(source, to: isRoot ? neighbour : geteuid())
      var status = stat()
      for name in ["", "/a", "/a/link", "/a/b/secret"] {
        #expect(lstat(source + name, &status) == 0 && status.st_uid == (isRoot ? neighbour : geteuid()))
      }
      #expect(lstat("/etc/passwd", &status) == 0 && status.st_uid == 0)
    }

    private func inodes(of path: String) throws -> Set<UInt64> {
      var found: Set<UInt64> = []
      func visit(_ path: String) throws {
        var status = stat()
        lstat(path, &status)
        found.insert(UInt64(status.st_ino))
        guard status.st_mode & S_IFMT == S_IFDIR else { return }
        for name in try Files.names(in: path) where !name.contains("\\") { try visit("\(path)/\(name)") }
      }
      try visit(path)
      return found
    }
  }
}
