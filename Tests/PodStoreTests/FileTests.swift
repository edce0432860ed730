import Glibc
import GRDB
import Linux
import PodModel
import Testing

@testable import PodStore

@Suite struct FileTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func failure() throws -> StoreError {
    do {
      _ = try scratch.open()
    } catch let error as StoreError {
      #expect(error.description.contains(scratch.database), "\(error)")
      return error
    }
    try #require(Bool(false), "the database was opened")
    return .addressesExhausted
  }

  @Test func `the file and its companions are root's alone`() throws {
    let before = umask(0)
    defer { umask(before) }
    let store = try scratch.open()
    try store.place("alice")
    for name in ["", "-wal", "-shm"] { #expect(try mode(scratch.database + name) == 0o600) }
  }

  @Test func `a file with a looser mode is tightened`() throws {
    try writeBytes([], scratch.database)
    chmod(scratch.database, 0o644)
    _ = try scratch.open()
    #expect(try mode(scratch.database) == 0o600)
  }

  @Test func `what is committed is synced, and little memory is used`() throws {
    let store = try scratch.open()
    let pragma = { (name: String) in try store.read { try String.fetchOne($0, sql: "PRAGMA \(name)") } }
    #expect(try pragma("journal_mode") == "wal")
    #expect(try pragma("synchronous") == "2")
    #expect(try pragma("foreign_keys") == "1")
    #expect(try pragma("cache_size") == "-256")
    #expect(try pragma("mmap_size") == "0")
  }

  @Test func `a database from a newer podctl is refused and left as it is`() throws {
    var store: PlacementStore? = try scratch.open()
    try store?.place("alice")
    try store?.execute("INSERT INTO grdb_migrations VALUES ('v9')")
    try store?.close()
    store = nil
    let bytes = try readBytes(scratch.database)
    let error = try failure()
    #expect(error == .newerSchema(file: scratch.database, unknown: ["v9"], newestKnown: "v6"))
    #expect(error.description.contains("v9") && error.description.contains("v6"))
    #expect(try readBytes(scratch.database) == bytes)
  }

  @Test func `a directory, a link, a missing directory`() throws {
    mkdir(scratch.database, 0o700)
    guard case .system(_, let errno) = try failure(), errno.code == EISDIR else {
      Issue.record("no EISDIR"); return
    }
    rmdir(scratch.database)
    symlink("/etc/passwd", scratch.database)
    guard case .system(_, let errno) = try failure(), errno.code == ELOOP else {
      Issue.record("no ELOOP"); return
    }
    unlink(scratch.database)
    mkfifo(scratch.database, 0o600)
    guard case .system(_, let errno) = try failure(), errno.code == EINVAL else {
      Issue.record("no EINVAL"); return
    }
    let missing = scratch.path + "/none/podctl.db"
    let expected = StoreError.system(file: missing, Errno(ENOENT))
    #expect(expected.description.contains("No such file or directory (2)"))
    #expect(throws: expected) { try PlacementStore(file: missing) }
  }

  @Test(.enabled(if: geteuid() != 0, "root may read everything"))
  func `an unreadable file`() throws {
    try writeBytes([], scratch.database)
    chmod(scratch.path, 0)
    defer { chmod(scratch.path, 0o700) }
    guard case .system(_, let errno) = try failure(), errno.code == EACCES else {
      Issue.record("no EACCES"); return
    }
  }

  @Test func `garbage is no database`() throws {
    try writeBytes([UInt8](repeating: 0x5A, count: 8192), scratch.database)
    guard case .corrupt = try failure() else { Issue.record("not found corrupt"); return }
  }

  @Test func `somebody else's database is not migrated`() throws {
    let other = try DatabaseQueue(path: scratch.database)
    try other.write { try $0.execute(sql: "CREATE TABLE song (title TEXT)") }
    try other.close()
    guard case .corrupt = try failure() else { Issue.record("not found foreign"); return }
  }

  @Test func `a damaged page is reported, not trusted`() throws {
    do {
      let store = try scratch.open()
      for n in 1...200 { try store.place("user\(n)") }
      try store.close()
    }
    var bytes = try readBytes(scratch.database)
    for index in 8192..<bytes.count { bytes[index] = 0xA5 }
    try writeBytes(bytes, scratch.database)
    var found: StoreError?
    do {
      let store = try scratch.open()
      try store.place("one-more")
    } catch let error as StoreError { found = error }
    guard case .corrupt = found else { Issue.record("\(String(describing: found))"); return }
  }

  @Test func `another writer's lock is told from a failure`() throws {
    let store = try scratch.open()
    let other = try DatabaseQueue(path: scratch.database)
    try store.queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA busy_timeout = 0") }
    try other.writeWithoutTransaction {
      try $0.execute(sql: "BEGIN IMMEDIATE"); try $0.execute(sql: "ROLLBACK")
    }
    try other.inDatabase { db in
      try db.execute(sql: "BEGIN IMMEDIATE")
      defer { try? db.execute(sql: "ROLLBACK") }
      do throws(StoreError) {
        try store.place("alice")
        Issue.record("written in spite of the lock")
      } catch {
        guard case .busy = error else { Issue.record("\(error)"); return }
      }
    }
    try store.place("alice")
  }

  @Test func `a full disk changes nothing, and ends`() throws {
    let store = try scratch.open()
    let pages = try store.read { try Int.fetchOne($0, sql: "PRAGMA page_count") } ?? 0
    try store.queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(pages + 6)") }
    var placed: [UserName] = []
    var failure: StoreError?
    while failure == nil, placed.count < 10_000 {
      do {
        try store.place("user\(placed.count)", usersPerPod: 3, ports: 1...65535)
        placed.append("user\(placed.count)")
      } catch { failure = error }
    }
    #expect(failure == .full(file: scratch.database))
    #expect(!placed.isEmpty)
    #expect(try store.allUsers().map(\.name) == placed.sorted())
    #expect(try store.verifyInvariants(usersPerPod: ["free": 3]).isEmpty)
    try store.queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = 100000") }
    #expect(try store.place("afterwards", usersPerPod: 3, ports: 1...65535).createdUser)
  }
}
