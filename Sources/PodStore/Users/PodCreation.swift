import GRDB
import Glibc
import PodModel
internal import Time

extension PlacementStore {
  /// A new, cold pod with the lowest free number and the lowest port that no pod and no other program has. Address, front
  /// address and uid follow from the number.
  func createPod(
    _ db: Database, tier: String, portRange: ClosedRange<Int>, isFree: (Int) -> Bool, uids vetted: VettedUIDs,
    now: WallTime
  ) throws -> Int {
    let uid = try freeUID(db, vetted)
    let number = uid - PodName.firstUID
    guard let port = try Self.lowestFreePort(db, in: portRange, isFree: isFree) else {
      throw StoreError.portRangeExhausted(first: portRange.lowerBound, last: portRange.upperBound)
    }
    // A reused number continues to count its generations, so that no unit name is used twice (facts 1).
    try db.cachedStatement(
      sql: """
        INSERT INTO pod (number, host, tier, port, address, front_address, uid, generation, created_at, layout)
        VALUES (:number, :host, :tier, :port, :address, :front, :uid,
          (SELECT coalesce(max(generation), 0) FROM generation WHERE pod = :number), :now, :layout)
        """
    ).execute(arguments: [
      "number": number, "host": Self.host, "tier": tier, "port": port,
      "address": PodAddress.listening(number: number), "front": PodAddress.front(number: number),
      "uid": PodName.firstUID + number, "now": now,
      "layout": PodRecord.Layout.apart.rawValue,
    ])
    return number
  }

  /// The lowest user id that neither a pod nor an account of the host has. One of a number whose directory exists is not
  /// free, although no row has it: a customer inherits nothing.
  private func freeUID(_ db: Database, _ vetted: VettedUIDs) throws -> Int {
    // By uid, because that index is narrower than the table.
    var uids = PodName.firstUID + 1...PodName.firstUID + PodAddress.highestNumber
    while let uid = try Self.lowestFree(db, "uid", among: "", in: uids) {
      if !hasDirectory(PodName(number: uid - PodName.firstUID)) {
        if vetted.allows(uid) { return uid }
        if !vetted.taken.contains(uid) { throw StoreError.unvettedUID(UInt32(uid)) }
      }
      guard uid < uids.upperBound else { break }
      uids = uid + 1...uids.upperBound
    }
    throw StoreError.addressesExhausted
  }

  private static func lowestFreePort(
    _ db: Database, in range: ClosedRange<Int>, isFree: (Int) -> Bool
  ) throws -> Int? {
    var first = range.lowerBound
    while first <= range.upperBound {
      let left = first...range.upperBound
      guard let port = try lowestFree(db, "port", among: "host = \(host) AND", in: left) else { return nil }
      if isFree(port) { return port }
      first = port + 1
    }
    return nil
  }

  /// Empty directories are nobody's, and are removed.
  private func hasDirectory(_ pod: PodName) -> Bool {
    guard let podDirectories else { return false }
    let path = "\(podDirectories)/\(pod)"
    rmdir(path + "/users")
    rmdir(path)
    var status = stat()
    return lstat(path, &status) == 0
  }

  /// The lowest value of `range` that no pod has in `column`. There are nearly always no gaps, and one count
  /// over an index is enough; only with gaps are neighbours compared one by one.
  private static func lowestFree(
    _ db: Database, _ column: String, among condition: String, in range: ClosedRange<Int>
  ) throws -> Int? {
    let (low, high) = (range.lowerBound, range.upperBound)
    let taken = try Row.fetchOne(
      db.cachedStatement(
        sql: """
          SELECT count(*) AS count, max(\(column)) AS last FROM pod
          WHERE \(condition) \(column) BETWEEN ? AND ?
          """), arguments: [low, high])
    guard let taken, let last = taken["last"] as Int? else { return low }
    if taken["count"] == last - low + 1 {
      return last < high ? last + 1 : nil
    }
    let lowIsTaken = try Bool.fetchOne(
      db.cachedStatement(sql: "SELECT 1 FROM pod WHERE \(condition) \(column) = ?"), arguments: [low])
    guard lowIsTaken != nil else { return low }
    return try Int.fetchOne(
      db.cachedStatement(
        sql: """
          SELECT here.\(column) + 1 FROM pod AS here
          WHERE \(condition) \(column) BETWEEN ? AND ? AND NOT EXISTS
            (SELECT 1 FROM pod AS next WHERE \(condition) next.\(column) = here.\(column) + 1)
          ORDER BY here.\(column) LIMIT 1
          """), arguments: [low, high])
  }
}
