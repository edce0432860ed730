import Glibc
import Linux
import Synchronization
import Testing
import Time

extension TreeTests {
  @Suite(.timeLimit(.minutes(5))) struct TreeRemovalTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func `a tree is removed, and a link's target stays`() throws {
      let tree = scratch.directory("tree")
      let other = scratch.directory("other")
      try scratch.write("tree/file", "x")
      try scratch.write("other/file", "x")
      symlink(other, tree + "/link")
      symlink("/none", tree + "/dangling")
      mkfifo(tree + "/fifo", 0o600)
      try FileTree.remove(tree)
      #expect(!scratch.exists("tree") && scratch.exists("other/file"))
      try FileTree.remove(tree)
      // What stands in a tree's place is removed itself.
      symlink(other, tree)
      try FileTree.remove(tree)
      #expect(!scratch.exists("tree") && scratch.exists("other/file"))
      #expect(try scratch.leftovers() == [])
    }

    @Test func `names that are not UTF-8, and any depth`() throws {
      let tree = scratch.directory("tree")
      try acting(as: tenant) { try makeDeepTree(tree, depth: 5000) }
      try FileTree.remove(tree)
      #expect(!scratch.exists("tree"))
      #expect(try scratch.leftovers() == [])
    }

    @Test func `a hundred thousand files`() throws {
      let tree = scratch.directory("tree")
      acting(as: tenant) {
        for number in 0..<100_000 { close(creat("\(tree)/\(number)", 0o600)) }
      }
      try FileTree.remove(tree)
      #expect(!scratch.exists("tree"))
    }

    @Test func `an interrupted removal is continued`() throws {
      let scratch = try Scratch(isInMemory: true)
      for stop in [1, 2, 5, 20, 60] {
        let tree = scratch.directory("tree")
        for number in 0..<20 {
          mkdir("\(tree)/\(number)", 0o700)
          mkdir("\(tree)/\(number)/a", 0o700)
          try scratch.write("tree/\(number)/a/file", "x")
        }
        var steps = 0
        let error = #expect(throws: Errno.self) {
          try FileTree.remove(tree) {
            steps += 1
            return steps <= stop
          }
        }
        #expect(error?.code == ECANCELED)
        #expect(!scratch.exists("tree"), "a tree whose removal has begun is out of reach")
        try FileTree.remove(tree)
        #expect(try scratch.leftovers() == [])
      }
    }

    @Test(.enabled(if: isRoot)) func `what is immutable is named, and all else is removed`() throws {
      let tree = scratch.directory("tree")
      mkdir(tree + "/a", 0o700)
      try scratch.write("tree/a/fixed", "x")
      try scratch.write("tree/a/other", "x")
      try scratch.write("tree/b", "x")
      guard try run("chattr", "+i", tree + "/a/fixed") else { return }
      let error = #expect(throws: Errno.self) { try FileTree.remove(tree) }
      let place = try #require(try scratch.leftovers().first)
      let fixed = try #require(error?.context.split(separator: " ").first { $0.hasSuffix("/fixed") })
      #expect(error?.code == EPERM)
      #expect(error?.context == "remove \(fixed) (it is immutable: chattr -i -a)")
      #expect(fixed.hasPrefix("\(scratch.path)/\(place)/"))
      #expect(try run("chattr", "-i", String(fixed)), "the path of the message is the file's")
      try FileTree.remove(tree)
      #expect(try scratch.leftovers() == [])
    }

    @Test(.enabled(if: isRoot)) func `a mounted file system is neither entered nor removed`() throws {
      let tree = scratch.directory("tree")
      let outside = scratch.directory("outside")
      try scratch.write("outside/precious", "x")
      mkdir(tree + "/a", 0o700)
      mkdir(tree + "/a/mounted", 0o700)
      try scratch.write("tree/a/file", "x")
      guard try run("mount", "--bind", outside, tree + "/a/mounted") else { return }
      // It moves with its directory.
      defer {
        _ = try? run("sh", "-c", "umount \(scratch.path)/.removing-*/*/mounted \(tree)/a/mounted 2>/dev/null")
      }
      let error = #expect(throws: Errno.self) { try FileTree.remove(tree) }
      #expect(error?.code == EBUSY)
      #expect(error?.context.hasSuffix("/mounted (a file system is mounted there: unmount it)") == true)
      #expect(scratch.exists("outside/precious"))
      let path = try #require(error?.context.split(separator: " ")[1])
      #expect(try run("umount", String(path)))
      try FileTree.remove(tree)
      #expect(try scratch.leftovers() == [])
      #expect(scratch.exists("outside/precious"))
    }

    @Test(.enabled(if: isRoot)) func `a tenant's symbolic link above a tree is not followed`() throws {
      // users/alice, where users is now a link to a neighbour.
      let pod = scratch.directory("pod")
      let neighbours = scratch.directory("neighbour", of: neighbour)
      mkdir(neighbours + "/alice", 0o700)
      _ = acting(as: tenant) { symlink(neighbours, pod + "/users") }
      let error = #expect(throws: Errno.self) { try FileTree.remove(pod + "/users/alice") }
      #expect(error?.code == ELOOP)
      #expect(FileTree.size(pod + "/users/alice", entriesMax: 10, until: .never) == nil)
      #expect(scratch.exists("neighbour/alice"))
      // Root's own link is: /var/lib/podctl may be one.
      symlink("neighbour", scratch.path + "/link")
      try FileTree.remove(scratch.path + "/link/alice")
      #expect(!scratch.exists("neighbour/alice"))
    }

    @Test(.enabled(if: isRoot)) func `a tenant that changes the tree meanwhile touches its own alone`() throws
    {
      let scratch = try Scratch(isInMemory: true)
      _ = scratch.directory("pod")
      let mates = scratch.directory("pod/mate")
      try scratch.write("pod/mate/file", "x")
      chown(mates + "/file", tenant, tenant)
      let precious = scratch.directory("precious", of: neighbour)
      try scratch.write("precious/file", "x")
      let stop = StopSign()
      let tree = scratch.directory("pod/tree")
      for _ in 0..<3 {
        try DetachedThread.start { acting(as: tenant) { stop.while { makeTrouble(tree, mates, precious) } } }
      }
      for _ in 0..<50 {
        for number in 0..<50 {
          mkdir("\(tree)/\(number)", 0o777)
          chown("\(tree)/\(number)", tenant, tenant)
        }
        try FileTree.remove(tree)
        _ = scratch.directory("pod/tree")
      }
      stop.stop()
      #expect(scratch.exists("precious/file"))
      #expect(try scratch.leftovers() == [])
    }
  }
}

/// Tells threads to end, and waits until they have.
private final class StopSign: Sendable {
  private let running = Atomic<Int>(0)
  private let isSet = Atomic<Bool>(false)

  func `while`(_ body: () -> Void) {
    running.add(1, ordering: .relaxed)
    while !isSet.load(ordering: .relaxed) { body() }
    running.subtract(1, ordering: .relaxed)
  }

  func stop() {
    isSet.store(true, ordering: .relaxed)
    while running.load(ordering: .relaxed) > 0 { sched_yield() }
  }
}

/// Opens a directory of the tree, and works on by its descriptor: makes files, puts links to a neighbour in the place
/// of directories, and moves directories away.
private func makeTrouble(_ tree: String, _ mates: String, _ precious: String) {
  let number = Int.random(in: 0..<50)
  let directory = open("\(tree)/\(number)", O_RDONLY | O_DIRECTORY)
  for name in ["a", "b"] {
    close(creat("/proc/self/fd/\(directory)/\(name)", 0o600))
    mkdir("/proc/self/fd/\(directory)/\(name)d", 0o700)
  }
  rename("/proc/self/fd/\(directory)/ad", "\(mates)/\(number)")
  symlink(precious, "/proc/self/fd/\(directory)/ad")
  rename("\(tree)/\(number)", "\(mates)/\(number)-moved")
  symlink(precious, "\(tree)/\(number)")
  close(directory)
}

/// A chain of directories with names that are not UTF-8, and a file in each hundredth.
func makeDeepTree(_ path: String, depth: Int) throws {
  let name: [CChar] = [0x63, CChar(bitPattern: 0xE9), 0]
  var current = open(path, O_RDONLY | O_DIRECTORY)
  for level in 0..<depth {
    #expect(mkdirat(current, name, 0o700) == 0)
    var below = Array("/proc/self/fd/\(current)/".utf8CString.dropLast()) + name
    let next = open(below, O_RDONLY | O_DIRECTORY)
    #expect(next >= 0)
    if level % 100 == 0 {
      below = Array("/proc/self/fd/\(next)/".utf8CString.dropLast()) + [CChar(bitPattern: 0xFF), 0]
      close(creat(below, 0o600))
    }
    close(current)
    current = next
  }
  close(current)
}
