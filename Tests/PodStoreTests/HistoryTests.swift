import Glibc
import GRDB
import PodModel
import Synchronization
import Testing
import Time
import TimeLiterals

@testable import PodStore

/// Where files were put aside.
private final class Asides: Sendable {
  let paths = Mutex<[String]>([])
}

/// A history in a directory of its own.
private final class HistoryScratch {
  let scratch: Scratch
  let asides = Asides()
  var file: String { scratch.path + "/history.db" }

  init() throws { scratch = try Scratch() }

  func open(_ limits: HistoryStore.Limits = .init()) -> HistoryStore {
    var limits = limits
    limits.keepFree = min(limits.keepFree, 1 << 20)
    return HistoryStore(file: file, limits: limits) { [asides] _, aside in
      asides.paths.withLock { $0.append(aside) }
    }
  }

  deinit {
    for name in ["", "-wal", "-shm", ".aside"] { unlink(file + name) }
  }
}

@Suite struct HistoryTests {
  private let scratch: HistoryScratch
  /// The beginning of an hour.
  static let start: Int64 = 29_000_000 / 60 * 60

  init() throws { scratch = try HistoryScratch() }

  private func minute(_ minute: Int64, generation: Int = 1, pages: UInt64 = 10_000) -> MemoryMinute {
    PackedMinutesTests.minute(minute, generation: generation, pages: pages)
  }

  /// Writes so many minutes of each pod, one after the other.
  private func fill(_ store: HistoryStore, pods: ClosedRange<Int>, minutes: Range<Int64>) throws {
    for at in minutes {
      let records = pods.map {
        HistoryRecord(pod: pod($0), minute: minute(at, pages: UInt64(at % 1000) + UInt64($0)))
      }
      try store.add(records, now: at)
    }
  }

  private func all(_ store: HistoryStore, _ number: Int = 1) throws -> [MemoryMinute] {
    try store.history(ofPod: pod(number), minutes: 0...Int64.max, limit: .max)
  }

  @Test func `every minute of days comes back, also after podd was started again`() throws {
    var store = scratch.open()
    let minutes = Self.start + 17..<Self.start + 60 * 26
    try fill(store, pods: 1...3, minutes: minutes)
    store.close()
    store = scratch.open()
    for number in 1...3 {
      let found = try all(store, number)
      #expect(found.map(\.minute) == Array(minutes))
      #expect(found.map(\.anon) == minutes.map { (UInt64($0 % 1000) + UInt64(number)) * 4096 })
    }
    #expect(try all(store, 4).isEmpty)
  }

  @Test func `hours that are over are packed, the running one is not`() throws {
    let store = scratch.open()
    try fill(store, pods: 1...300, minutes: Self.start..<Self.start + 65)
    let (recent, hours) = try store.perform { db in
      (
        try Int.fetchOne(db, sql: "SELECT count(*) FROM recent"),
        try Int.fetchOne(db, sql: "SELECT count(*) FROM hour")
      )
    }
    #expect(recent == 300 * 5)
    #expect(hours == 300)
  }

  @Test func `a part can be asked for, and its pages follow each other`() throws {
    let store = scratch.open()
    try fill(store, pods: 1...2, minutes: Self.start..<Self.start + 200)
    var found: [MemoryMinute] = []
    var next = Self.start + 30
    while next < Self.start + 190 {
      let page = try store.history(ofPod: pod(2), minutes: next...Self.start + 189, limit: 25)
      guard let last = page.last else { break }
      found += page
      next = last.minute + 1
    }
    #expect(found.map(\.minute) == Array(Self.start + 30..<Self.start + 190))
    #expect(try store.history(ofPod: pod(2), minutes: 0...5, limit: 10).isEmpty)
    #expect(try store.history(ofPod: pod(2), minutes: 0...Int64.max, limit: 0).isEmpty)
  }

  @Test func `two generations of one minute are two rows, two halves of one are one`() throws {
    let store = scratch.open()
    let at = Self.start
    var second = minute(at, pages: 5_000)
    second.stalledSome = 7
    try store.add([HistoryRecord(pod: pod(1), minute: minute(at, pages: 9_000))], now: at)
    try store.add([HistoryRecord(pod: pod(1), minute: second)], now: at)
    try store.add([HistoryRecord(pod: pod(1), minute: minute(at, generation: 2))], now: at)
    let found = try all(store)
    #expect(found.map(\.generation) == [1, 2])
    #expect(found.first?.anon == 5_000 * 4096)
    #expect(found.first?.currentMax == (9_000 + 2_200) * 4096)
    #expect(found.first?.stalledSome == 7)
    #expect(found.first?.cpu == .milliseconds(8))
  }

  @Test func `a clock that is put back loses nothing and repeats nothing`() throws {
    let store = scratch.open()
    try fill(store, pods: 1...2, minutes: Self.start..<Self.start + 150)
    // Two hours back, into hours that are packed.
    try fill(store, pods: 1...2, minutes: Self.start + 30..<Self.start + 300)
    let found = try all(store)
    #expect(found.map(\.minute) == Array(Self.start..<Self.start + 300))
    #expect(found.allSatisfy { $0.anon == (UInt64($0.minute % 1000) + 1) * 4096 })
  }

  @Test func `what a clock that was wrong wrote goes`() throws {
    let store = scratch.open()
    let year: Int64 = 525_600
    for at in [minute(5), minute(Self.start + year)] {
      try store.add([HistoryRecord(pod: pod(1), minute: at)], now: at.minute)
    }
    try fill(store, pods: 1...1, minutes: Self.start..<Self.start + 3)
    #expect(try all(store).map(\.minute) == Array(Self.start..<Self.start + 3))
  }

  @Test func `while nobody knows the time, nothing goes by its age`() throws {
    let store = scratch.open()
    let decade: Int64 = 10 * 525_600
    try fill(store, pods: 1...1, minutes: Self.start..<Self.start + 3)
    // The clock of a host without a battery, and one that was set by mistake.
    for now in [Self.start - decade, Self.start + decade] {
      try store.add([HistoryRecord(pod: pod(2), minute: minute(now))], now: now, deletesByAge: false)
    }
    #expect(try all(store).map(\.minute) == Array(Self.start..<Self.start + 3))
  }

  @Test func `a month is kept and no more`() throws {
    let store = scratch.open()
    let month: Int64 = 30 * 24 * 60
    for hour in 0..<Int64(31 * 24) {
      try store.add(
        [HistoryRecord(pod: pod(1), minute: minute(Self.start + hour * 60))], now: Self.start + hour * 60)
    }
    let last = Self.start + (31 * 24 - 1) * 60
    let found = try all(store)
    #expect(found.last?.minute == last)
    #expect(found.first?.minute == last - month)
    #expect(found.count == 30 * 24 + 1)
  }

  @Test func `the oldest give way when it becomes too large`() throws {
    var limits = HistoryStore.Limits()
    limits.bytes = 120_000
    let store = scratch.open(limits)
    try fill(store, pods: 1...20, minutes: Self.start..<Self.start + 60 * 40)
    #expect(try store.size() < 160_000)
    let found = try all(store, 10)
    #expect(found.last?.minute == Self.start + 60 * 40 - 1)
    #expect(found.count > 60)
    #expect(found.first.map { $0.minute > Self.start } ?? false)
  }

  @Test func `a damaged file is put aside and a new one begun`() throws {
    var store = scratch.open()
    try fill(store, pods: 1...5, minutes: Self.start..<Self.start + 130)
    store.close()
    var bytes = try readBytes(scratch.file)
    for offset in 100..<bytes.count { bytes[offset] = 0xA5 }
    try writeBytes(bytes, scratch.file)
    store = scratch.open()
    try fill(store, pods: 1...1, minutes: Self.start + 200..<Self.start + 203)
    #expect(try all(store).map(\.minute) == [Self.start + 200, Self.start + 201, Self.start + 202])
    #expect(scratch.asides.paths.withLock { $0 } == [scratch.file + ".aside"])
    #expect(try readBytes(scratch.file + ".aside") == bytes)
    #expect(try mode(scratch.file) == 0o600)
  }

  @Test(arguments: ["INSERT INTO grdb_migrations VALUES ('v9')", "DROP TABLE hour"])
  func `so is one that a newer podctl wrote, and one without its tables`(_ change: String) throws {
    var store = scratch.open()
    try fill(store, pods: 1...1, minutes: Self.start..<Self.start + 2)
    try store.perform { try $0.execute(sql: change) }
    store.close()
    store = scratch.open()
    try fill(store, pods: 1...1, minutes: Self.start + 5..<Self.start + 6)
    #expect(try all(store).map(\.minute) == [Self.start + 5])
    #expect(scratch.asides.paths.withLock { $0.count } == 1)
  }

  @Test func `a text file where the database should be is no reason to stop`() throws {
    try writeBytes(Array("not a database, but long enough to be looked at closely".utf8), scratch.file)
    let store = scratch.open()
    try fill(store, pods: 1...1, minutes: Self.start..<Self.start + 1)
    #expect(try all(store).count == 1)
  }

  @Test func `without room nothing is written, and later it goes on`() throws {
    var limits = HistoryStore.Limits()
    limits.keepFree = .max
    let full = HistoryStore(file: scratch.file, limits: limits)
    #expect(throws: StoreError.full(file: scratch.file)) {
      // The file has to be there for its file system to be asked.
      _ = try full.history(ofPod: pod(1), minutes: 0...1, limit: 1)
      try full.add([HistoryRecord(pod: pod(1), minute: minute(1))], now: 1)
    }
    full.close()
    let store = scratch.open()
    try fill(store, pods: 1...1, minutes: Self.start..<Self.start + 1)
    #expect(try all(store).count == 1)
  }

  @Test func `a directory that is not there is an error that names the file`() throws {
    let store = HistoryStore(file: scratch.scratch.path + "/none/history.db")
    #expect(throws: StoreError.self) {
      try store.add([HistoryRecord(pod: pod(1), minute: minute(1))], now: 1)
    }
  }

  @Test func `the worker answers in order, refuses what is too much, and has no thread when idle`()
    async throws
  {
    let worker = HistoryWorker(scratch.open())
    for at in Self.start..<Self.start + 20 {
      let record = HistoryRecord(pod: pod(1), minute: minute(at))
      try await worker.run { store throws(StoreError) in try store.add([record], now: at) }
    }
    let found = try await worker.run { store throws(StoreError) in
      try store.history(ofPod: pod(1), minutes: 0...Int64.max, limit: .max)
    }
    #expect(found.count == 20)
    let none = HistoryWorker(scratch.open(), limit: 0)
    await #expect(throws: StoreError.self) { try await none.run { _ throws(StoreError) in } }
  }
}
