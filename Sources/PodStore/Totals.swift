import GRDB
import Glibc

/// What `podctl metrics` has from the store.
public struct StoreTotals: Sendable, Equatable {
  /// How many users there are, by tier and status; deleted ones by the tier that they had.
  public var users: [String: [UserRecord.Status: UInt64]] = [:]
  /// The database's file system; nil if it does not tell.
  public var diskSize: UInt64?
  /// What is free on it for others than root.
  public var diskAvailable: UInt64?
}

extension PlacementStore {
  /// Reads the name of each user's tier: some milliseconds for ten thousand users.
  public func totals() throws(StoreError) -> StoreTotals {
    var totals = try read { db in
      let sql = "SELECT tier, status, count(*) AS users FROM user GROUP BY tier, status"
      return try Row.fetchCursor(db.cachedStatement(sql: sql)).reduce(into: StoreTotals()) {
        let status = try decode($1, "status", UserRecord.Status.init(rawValue:))
        $0.users[$1["tier"], default: [:]][status] = UInt64(max(0, $1["users"] as Int64))
      }
    }
    var disk = statvfs()
    if statvfs(file, &disk) == 0 {
      totals.diskSize = UInt64(disk.f_blocks) * UInt64(disk.f_frsize)
      totals.diskAvailable = UInt64(disk.f_bavail) * UInt64(disk.f_frsize)
    }
    return totals
  }
}
