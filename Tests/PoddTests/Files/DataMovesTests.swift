import Glibc
import Linux
import PodModel
import PodStore
import Testing

@testable import PoddCore

/// Data between pods, with real files and the uids of pods. Only root can give files away.
@Suite(.enabled(if: geteuid() == 0)) final class DataMovesTests {
  let places: DataPlaces
  let moves: DataMoves
  let one: PodDirectory
  let two: PodDirectory

  init() throws {
    var template = Array("/tmp/podctl-data-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } != nil }
    try #require(made)
    places = DataPlaces(
      root: String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    moves = DataMoves(places: places)
    one = PodDirectory(places: places, pod: PodName(number: 1), uid: 1_900_000_001, layout: .apart)
    two = PodDirectory(places: places, pod: PodName(number: 2), uid: 1_900_000_002, layout: .apart)
    try Files.makeDirectory(places.pods, mode: 0o700)
    try Files.makeDirectory(places.kept, mode: 0o700)
  }

  deinit { try? FileTree.remove(places.root) }

  private func user(_ name: String) throws -> UserName { try UserName(validating: name) }

  private func path(_ name: String, _ pod: PodDirectory) throws -> String {
    places.directory(of: try user(name), in: pod.pod, pod.layout)
  }

  private func write(_ text: String, _ path: String, uid: UInt32 = 1_900_000_001, mode: UInt32 = 0o666) throws
  {
    try Files.replace(path, with: text, mode: mode, owner: uid)
  }

  private func status(_ path: String) throws -> stat {
    var status = stat()
    try #require(lstat(path, &status) == 0, "\(path)")
    return status
  }

  private func bring(_ name: String, to pod: PodDirectory) throws {
    let user = try user(name)
    if try moves.stage(user, owner: pod.uid) { try pod.admit(user, from: places.arriving(user)) }
  }

  private func leave(_ name: String, from pod: PodDirectory) throws {
    let user = try user(name)
    try moves.keepLeaving(user)
    try moves.withdraw(user, from: pod)
    try moves.keepLeaving(user)
  }

  // MARK: Directories

  @Test func `users' directories lie where the program of the pod cannot add any`() throws {
    #expect(try one.ensure([user("alice"), user("dump.rdb")]).isEmpty)
    let users = try status(places.usersDirectory(of: one.pod, .apart))
    #expect(users.st_uid == 0 && users.st_gid == one.uid && users.st_mode == S_IFDIR | 0o750)
    let alice = try status(path("alice", one))
    #expect(alice.st_uid == one.uid && alice.st_mode == S_IFDIR | 0o700)
    #expect(try status(places.directory(of: one.pod)).st_uid == one.uid)
  }

  @Test func `trouble with one user's directory leaves the others alone`() throws {
    _ = try one.ensure([])
    let users = places.usersDirectory(of: one.pod, .apart)
    try #require(symlink("/etc", users + "/alice") == 0)
    try write("", users + "/bob")
    let troubles = try one.ensure([user("alice"), user("bob"), user("carl")])
    #expect(Set(troubles.keys) == [try user("alice"), try user("bob")])
    #expect(troubles[try user("alice")]?.description.contains("pods/pod-001/users/alice") == true)
    #expect(try status(path("carl", one)).st_uid == one.uid)
    #expect(try status("/etc").st_uid == 0, "no link is followed")
  }

  @Test func `a program that puts a link in the place of users reaches nothing`() throws {
    _ = try one.ensure([user("alice")])
    let directory = places.directory(of: one.pod)
    try #require(rename(directory + "/users", directory + "/hidden") == 0)
    try Files.makeDirectory(places.root + "/elsewhere/", mode: 0o755)
    try Files.makeDirectory(places.root + "/elsewhere/alice", mode: 0o755)
    try #require(symlink(places.root + "/elsewhere", directory + "/users") == 0)
    #expect(throws: Errno.self) { try one.ensure([try user("alice")]) }
    try leave("alice", from: one)
    try moves.withdraw(user("alice"), from: one)
    #expect(try status(places.root + "/elsewhere/alice").st_mode == S_IFDIR | 0o755)
    // Its own directory of that name is not podd's either.
    try #require(unlink(directory + "/users") == 0)
    try #require(mkdir(directory + "/users", 0o700) == 0)
    try #require(chown(directory + "/users", one.uid, one.uid) == 0)
    #expect(throws: Errno.self) { try one.ensure([try user("alice")]) }
    // All of it goes with the last user.
    let cleaning = PodRecord.Cleaning(kind: .keep, user: try user("alice"), id: 7)
    #expect(try moves.clean(one, cleaning) == "pod-001-7")
    #expect(try one.ensure([user("bob")]).isEmpty)
  }

  // MARK: From pod to pod

  /// H2: descriptors, hard links, mappings and modes of the old pod reach nothing of the new one.
  @Test func `data comes into another pod as new inodes`() throws {
    _ = try one.ensure([user("alice"), user("mate")])
    let docs = try path("alice", one) + "/docs"
    try #require(mkdir(docs, 0o777) == 0)
    try #require(chmod(docs, 0o777) == 0)
    try write("old", docs + "/file")
    try #require(link(docs + "/file", path("mate", one) + "/stolen") == 0)
    let file = try FileDescriptor.open(docs + "/file", O_RDWR)
    let directory = try FileDescriptor.open(docs, O_RDONLY | O_DIRECTORY)
    let top = try FileDescriptor.open(path("alice", one), O_RDONLY | O_DIRECTORY)
    let inode = try status(docs + "/file").st_ino

    try leave("alice", from: one)
    #expect(
      try status(path("mate", one) + "/stolen").st_uid == one.uid, "mate's name for the file stays mate's")
    let kept = try status(places.kept(user("alice")))
    #expect(kept.st_uid == 0 && kept.st_mode == S_IFDIR | 0o700)
    try bring("alice", to: two)

    let moved = try path("alice", two) + "/docs/file"
    #expect(readSmallFile(moved) == "old")
    #expect(try status(moved).st_ino != inode && status(moved).st_nlink == 1)
    #expect(try status(moved).st_uid == two.uid && status(moved).st_mode & 0o077 == 0)
    try write("secret", moved + ".new", uid: two.uid)
    let fresh = try FileDescriptor.open(moved, O_WRONLY | O_TRUNC)
    try fresh.writeAll(Array("secret".utf8))
    #expect(readSmallFile(try path("mate", one) + "/stolen") == "old")
    #expect(String(decoding: try file.readAll(limit: 100), as: UTF8.self) == "old")
    for held in [directory.raw, top.raw] {
      // The directories that the old pod holds are gone, or not those of the new pod.
      _ = mkdirat(held, "planted", 0o777)
    }
    #expect(try Files.kind(of: docs + "/planted") == nil)
    #expect(try Files.kind(of: path("alice", two) + "/planted") == nil)
    #expect(try Files.kind(of: path("alice", two) + "/docs/planted") == nil)
    #expect(try Files.kind(of: places.kept(user("alice"))) == nil)
  }

  @Test func `a move that was begun for one pod is finished for another one`() throws {
    _ = try one.ensure([user("alice")])
    try write("a", path("alice", one) + "/a")
    try leave("alice", from: one)
    let alice = try user("alice")
    // A crash before the last step; meanwhile alice is placed elsewhere, and something is left in the source.
    #expect(try moves.stage(alice, owner: one.uid))
    try Files.makeDirectory(places.kept(alice), mode: 0o700)
    try write("b", places.kept(alice) + "/b", uid: 0)
    try bring("alice", to: two)
    for (name, text) in [("a", "a"), ("b", "b")] {
      #expect(readSmallFile(try path("alice", two) + "/\(name)") == text)
      #expect(try status(path("alice", two) + "/\(name)").st_uid == two.uid)
    }
    try bring("alice", to: two)
    #expect(readSmallFile(try path("alice", two) + "/a") == "a", "once more changes nothing")
  }

  @Test func `what is in the way of what is to be kept is named and not replaced`() throws {
    _ = try one.ensure([user("alice")])
    try write("mine", path("alice", one) + "/file")
    try Files.makeDirectory(places.kept(user("alice")), mode: 0o700)
    try leaveAndExpectNothing()
    try Files.makeDirectory(places.kept(user("alice")), mode: 0o700)
    try write("admin's", places.kept(user("alice")) + "/file", uid: 0)
    try bring("alice", to: one)
    try leave("alice", from: one)
    _ = try one.ensure([user("alice")])
    try write("new", path("alice", one) + "/file")
    let error = #expect(throws: Errno.self) { try leave("alice", from: one) }
    #expect(error?.description.contains("kept/alice is in the way") == true)
    try #require(rename(places.kept(user("alice")), places.root + "/moved-away") == 0)
    try leave("alice", from: one)
    #expect(readSmallFile(try places.kept(user("alice")) + "/file") == "new")
  }

  /// An empty directory in the way is nobody's data.
  private func leaveAndExpectNothing() throws {
    try leave("alice", from: one)
    #expect(readSmallFile(try places.kept(user("alice")) + "/file") == "mine")
    try FileTree.remove(places.kept(user("alice")))
  }

  @Test func `a link in the place of a user's directory is not data`() throws {
    _ = try one.ensure([])
    let users = places.usersDirectory(of: one.pod, .apart)
    try #require(symlink("/nowhere", users + "/alice") == 0)
    try leave("alice", from: one)
    #expect(try Files.kind(of: users + "/alice") == nil)
    #expect(try Files.kind(of: places.kept(user("alice"))) == nil)
    try #require(symlink("/etc", users + "/alice") == 0)
    try moves.withdraw(user("alice"), from: one)
    try moves.remove(user("alice"))
    #expect(try Files.kind(of: users + "/alice") == nil && Files.kind(of: "/etc/passwd") != nil)
  }

  // MARK: Whole directories

  /// C1: what redis has dumped next to its users' directories.
  @Test func `a pod that its last user left has nothing of what its program stored`() throws {
    _ = try one.ensure([user("alice")])
    let directory = places.directory(of: one.pod)
    try write("card 4111", directory + "/dump.rdb")
    try leave("alice", from: one)
    let cleaning = PodRecord.Cleaning(kind: .keep, user: try user("alice"), id: 3)
    #expect(try moves.clean(one, cleaning) == "pod-001-3")
    #expect(try Files.kind(of: directory) == nil)
    #expect(try moves.clean(one, cleaning) == "pod-001-3", "also when it was not recorded")

    // It comes back to alice, into a pod that nobody has used.
    _ = try two.ensure([user("alice")])
    try write("bob's", places.directory(of: two.pod) + "/dump.rdb", uid: two.uid)
    #expect(try !moves.bringProgram("pod-001-3", of: user("alice"), to: two), "somebody uses it")
    try #require(unlink(places.directory(of: two.pod) + "/dump.rdb") == 0)
    rmdir(try path("alice", two))
    #expect(try moves.bringProgram("pod-001-3", of: user("alice"), to: two))
    let back = places.directory(of: two.pod) + "/dump.rdb"
    #expect(readSmallFile(back) == "card 4111")
    #expect(try status(back).st_uid == two.uid && status(places.directory(of: two.pod)).st_uid == two.uid)
    #expect(try moves.bringProgram("pod-001-3", of: user("alice"), to: two), "nothing is left to be brought")
    #expect(try two.ensure([user("alice")]).isEmpty)
  }

  @Test func `with a purged user, what the program stored is removed`() throws {
    _ = try one.ensure([user("alice")])
    try write("card 4111", places.directory(of: one.pod) + "/dump.rdb")
    try moves.withdraw(user("alice"), from: one)
    try moves.remove(user("alice"))
    #expect(try moves.clean(one, PodRecord.Cleaning(kind: .remove, user: try user("alice"), id: 3)) == nil)
    #expect(try Files.kind(of: places.directory(of: one.pod)) == nil)
    try moves.removeTaken()
    #expect(try Files.names(in: places.removing).isEmpty)
    #expect(try Files.names(in: places.kept).filter { !$0.hasPrefix(".") }.isEmpty)
  }

  @Test func `a purge that was interrupted is finished by the next one`() throws {
    let kept = places.kept(try user("alice"))
    try Files.makeDirectory(kept, mode: 0o700)
    for number in 0..<9 { try write("secret", "\(kept)/\(number)") }
    var entries = 0
    #expect(throws: Errno.self) {
      try FileTree.remove(kept) {
        entries += 1
        return entries < 5
      }
    }
    #expect(!Files.exists(kept))
    try moves.remove(try user("alice"))
    #expect(try Files.names(in: places.kept) == [])
  }

  @Test func `a pod that stored nothing leaves nothing to be kept`() throws {
    _ = try one.ensure([])
    #expect(try moves.clean(one, PodRecord.Cleaning(kind: .keep, user: nil, id: 3)) == nil)
    #expect(try Files.kind(of: places.directory(of: one.pod)) == nil)
  }

  // MARK: The layout of 0.1

  /// As 0.1 left it, with a user called `users`. The migration is cut off before each of its steps in turn.
  @Test(arguments: 0...6) func `the layout of an earlier version is migrated, also after a crash`(steps: Int)
    throws
  {
    let old = PodDirectory(places: places, pod: one.pod, uid: one.uid, layout: .mixed)
    let users = try ["alice", "bob", "users", "gone"].map(user)
    #expect(try old.ensure(Array(users.prefix(3))).isEmpty)
    let directory = places.directory(of: one.pod)
    for name in users.prefix(3) { try write(name.text, "\(directory)/\(name)/file") }
    try write("the program's", directory + "/dump.rdb")

    let staging = places.migrating(one.pod)
    if steps > 0 {
      try Files.makeDirectory(places.pods + "/.migrating", mode: 0o700)
      try Files.makeDirectory(staging, mode: 0o700)
    }
    for (index, name) in users.prefix(3).enumerated() where steps > index + 1 {
      try Files.move("\(directory)/\(name)", to: "\(staging)/\(name)")
    }
    if steps > 4 {
      try #require(chown(staging, 0, one.uid) == 0)
      try #require(chmod(staging, 0o750) == 0)
    }
    if steps > 5 { try Files.move(staging, to: directory + "/users") }

    try old.migrate(users)
    try old.migrate(users)
    for name in users.prefix(3) {
      #expect(readSmallFile(try path(name.text, one) + "/file") == name.text)
    }
    #expect(readSmallFile(directory + "/dump.rdb") == "the program's")
    #expect(try Files.kind(of: staging) == nil)
    #expect(try Set(Files.names(in: directory)) == ["users", "dump.rdb"])
    #expect(try one.ensure(users).isEmpty)
  }

  @Test func `something of the program that is called users makes room`() throws {
    let old = PodDirectory(places: places, pod: one.pod, uid: one.uid, layout: .mixed)
    #expect(try old.ensure([user("alice")]).isEmpty)
    let directory = places.directory(of: one.pod)
    try write("a list", directory + "/users")
    try old.migrate([user("alice")])
    #expect(readSmallFile(directory + "/users.program") == "a list")
    #expect(try one.ensure([user("alice")]).isEmpty)
  }
}
