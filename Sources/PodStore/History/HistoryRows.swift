import Foundation
import GRDB
import PodModel
import Time

/// The rows of the history: how they are written, packed, read and deleted, within a transaction.
extension HistoryStore {
  /// How much is packed and deleted with each minute. No minute waits long for it, and an hour's work is done
  /// in a fraction of an hour.
  private static let podsAtATime = 128
  private static let hoursAtATime = 256
  /// How many minutes ahead of the clock are kept. Later ones were written when the clock was wrong.
  private static let ahead: Int64 = 24 * 60

  private static func id(hour: Int64, pod: Int) -> Int64 { hour << 20 | Int64(pod) }

  // MARK: Writing

  static func insert(_ record: HistoryRecord, _ db: Database) throws {
    let minute = record.minute
    func number(_ value: UInt64) -> Int64 { Int64(clamping: value) }
    try db.cachedStatement(
      sql: """
        INSERT INTO recent VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET
          anon = iif(excluded.anon + excluded.swap < anon + swap, excluded.anon, anon),
          swap = iif(excluded.anon + excluded.swap < anon + swap, excluded.swap, swap),
          file = iif(excluded.anon + excluded.swap < anon + swap, excluded.file, file),
          current = iif(excluded.anon + excluded.swap < anon + swap, excluded.current, current),
          current_max = max(current_max, excluded.current_max),
          active_users = max(active_users, excluded.active_users),
          stalled_some = stalled_some + excluded.stalled_some,
          stalled_full = stalled_full + excluded.stalled_full,
          cpu = cpu + excluded.cpu
        """
    ).execute(arguments: [
      minute.minute, record.pod.number, minute.generation, number(minute.anon), number(minute.swap),
      number(minute.file), number(minute.current), number(minute.currentMax), minute.activeUsers,
      number(minute.stalledSome.count), number(minute.stalledFull.count), number(minute.cpu.count),
    ])
  }

  /// Packs the oldest hour before `hour`, for some of the pods.
  static func pack(before hour: Int64, _ db: Database) throws {
    guard let oldest = try Int64.fetchOne(db, sql: "SELECT min(minute) FROM recent"), oldest / 60 < hour
    else { return }
    let packed = oldest / 60
    let range = packed * 60...packed * 60 + 59
    let pods = try Int.fetchAll(
      db,
      sql: "SELECT DISTINCT pod FROM recent WHERE minute BETWEEN ? AND ? ORDER BY pod LIMIT ?",
      arguments: [range.lowerBound, range.upperBound, podsAtATime])
    guard let last = pods.last else { return }
    var minutes: [Int: [MemoryMinute]] = [:]
    let rows = try Row.fetchCursor(
      db.cachedStatement(sql: "SELECT * FROM recent WHERE minute BETWEEN ? AND ? AND pod <= ?"),
      arguments: [range.lowerBound, range.upperBound, last])
    while let row = try rows.next() { minutes[row["pod"], default: []].append(minute(row)) }
    for (pod, minutes) in minutes {
      let id = id(hour: packed, pod: pod)
      // There is a row already when the clock was set back.
      let known = try unpacked(db, id)
      let bytes = PackedMinutes.encode(known.isEmpty ? minutes : merged(known, minutes))
      try db.cachedStatement(sql: "INSERT OR REPLACE INTO hour VALUES (?, ?)")
        .execute(arguments: [id, Data(bytes)])
    }
    try db.cachedStatement(sql: "DELETE FROM recent WHERE minute BETWEEN ? AND ? AND pod <= ?")
      .execute(arguments: [range.lowerBound, range.upperBound, last])
  }

  // MARK: Deleting

  /// Deletes rows that are too old, the oldest of those that are too many, and rows that lie in the future. Without
  /// `now`, nobody knows which are too old or lie in the future.
  static func trim(_ db: Database, now: Int64?, _ limits: Limits) throws {
    if let now { try trimByAge(db, now, limits) }
    if try usedBytes(db) > limits.bytes { try delete(db, where: "id > ?", -1) }
  }

  private static func trimByAge(_ db: Database, _ now: Int64, _ limits: Limits) throws {
    let oldest = now - limits.minutes
    let future = now + ahead
    try db.cachedStatement(sql: "DELETE FROM recent WHERE minute < ? OR minute > ?")
      .execute(arguments: [oldest, future])
    try delete(db, where: "id < ?", id(hour: oldest / 60, pod: 0))
    try delete(db, where: "id > ?", id(hour: future / 60 + 1, pod: 0))
  }

  private static func delete(_ db: Database, where condition: String, _ bound: Int64) throws {
    try db.cachedStatement(
      sql: "DELETE FROM hour WHERE id IN (SELECT id FROM hour WHERE \(condition) ORDER BY id LIMIT ?)"
    ).execute(arguments: [bound, hoursAtATime])
  }

  static func usedBytes(_ db: Database) throws -> UInt64 {
    func number(_ pragma: String) throws -> Int64 {
      try Int64.fetchOne(db, sql: "PRAGMA \(pragma)") ?? 0
    }
    let pages = try number("page_count") - number("freelist_count")
    return UInt64(clamping: pages * (try number("page_size")))
  }

  // MARK: Reading

  static func read(
    _ db: Database, _ pod: Int, _ wanted: ClosedRange<Int64>, _ limit: Int
  ) throws -> [MemoryMinute] {
    guard limit > 0 else { return [] }
    let recent = try recentMinutes(db, pod, wanted, limit)
    var found: [MemoryMinute] = []
    if let last = try Int64.fetchOne(db, sql: "SELECT max(id) FROM hour") {
      var from = wanted.lowerBound / 60
      while found.count < limit, from <= min(wanted.upperBound / 60, last >> 20),
        let first = try Int64.fetchOne(
          db.cachedStatement(sql: "SELECT min(id) FROM hour WHERE id >= ?"),
          arguments: [id(hour: from, pod: 0)])
      {
        let hour = first >> 20
        found += try unpacked(db, id(hour: hour, pod: pod)).filter { wanted.contains($0.minute) }
        from = hour + 1
      }
    }
    // Usually one follows the other, unless the clock was set back.
    let all = recent.isEmpty ? found : merged(found, recent)
    return Array(all.prefix(limit))
  }

  private static func recentMinutes(
    _ db: Database, _ pod: Int, _ wanted: ClosedRange<Int64>, _ limit: Int
  ) throws -> [MemoryMinute] {
    var found: [MemoryMinute] = []
    var from = wanted.lowerBound
    // Two lookups for each minute that has rows, because a range would read the rows of all pods. Minutes without rows
    // cost nothing: a clock that was wrong may have left decades of them.
    while found.count < limit,
      let minute = try Int64.fetchOne(
        db.cachedStatement(sql: "SELECT min(minute) FROM recent WHERE minute BETWEEN ? AND ?"),
        arguments: [from, wanted.upperBound])
    {
      let rows = try Row.fetchCursor(
        db.cachedStatement(sql: "SELECT * FROM recent WHERE minute = ? AND pod = ?"),
        arguments: [minute, pod])
      while let row = try rows.next() { found.append(Self.minute(row)) }
      from = minute + 1
    }
    return found
  }

  private static func unpacked(_ db: Database, _ id: Int64) throws -> [MemoryMinute] {
    let statement = try db.cachedStatement(sql: "SELECT minutes FROM hour WHERE id = ?")
    return try Data.fetchOne(statement, arguments: [id]).map { PackedMinutes.decode(Array($0)) } ?? []
  }

  /// Merges both in order of time, and adds up rows of the same minute.
  private static func merged(_ left: [MemoryMinute], _ right: [MemoryMinute]) -> [MemoryMinute] {
    let sorted = (left + right).sorted { ($0.minute, $0.generation) < ($1.minute, $1.generation) }
    return sorted.reduce(into: []) { result, minute in
      if let last = result.last, (last.minute, last.generation) == (minute.minute, minute.generation) {
        result[result.count - 1].add(minute)
      } else {
        result.append(minute)
      }
    }
  }

  private static func minute(_ row: Row) -> MemoryMinute {
    func size(_ column: String) -> UInt64 { UInt64(clamping: row[column] as Int64) }
    func span(_ column: String) -> Microseconds { Microseconds(size(column)) }
    return MemoryMinute(
      minute: row["minute"], generation: row["generation"], anon: size("anon"), swap: size("swap"),
      file: size("file"), current: size("current"), currentMax: size("current_max"),
      activeUsers: row["active_users"], stalledSome: span("stalled_some"),
      stalledFull: span("stalled_full"), cpu: span("cpu"))
  }
}
