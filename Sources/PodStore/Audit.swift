import GRDB
public import Time

/// A request of a caller, and its result.
public struct AuditRecord: Sendable, Equatable {
  public var at: WallTime
  /// The caller's uid.
  public var uid: UInt32
  /// The caller's unique name on the bus.
  public var sender: String
  public var verb: String
  /// The user or pod that the request concerned.
  public var subject: String
  /// `done`, or the error's D-Bus name.
  public var result: String

  public init(at: WallTime, uid: UInt32, sender: String, verb: String, subject: String, result: String) {
    self.at = at
    self.uid = uid
    self.sender = sender
    self.verb = verb
    self.subject = subject
    self.result = result
  }
}

extension PlacementStore {
  /// Adds an entry, and deletes the oldest ones beyond the store's limit in the same transaction.
  public func audit(_ entry: AuditRecord) throws(StoreError) {
    try write { db in
      try db.cachedStatement(
        sql: "INSERT INTO audit (at, uid, sender, verb, subject, result) VALUES (?, ?, ?, ?, ?, ?)"
      ).execute(arguments: [entry.at, entry.uid, entry.sender, entry.verb, entry.subject, entry.result])
      let oldest = db.lastInsertedRowID - Int64(auditLimit)
      try db.cachedStatement(sql: "DELETE FROM audit WHERE id <= ?").execute(arguments: [oldest])
    }
  }

  /// The last `count` entries, the oldest of them first.
  public func auditTail(_ count: Int) throws(StoreError) -> [AuditRecord] {
    try read { db in
      let sql = "SELECT at, uid, sender, verb, subject, result FROM audit ORDER BY id DESC LIMIT ?"
      return try Row.fetchCursor(db.cachedStatement(sql: sql), arguments: [count]).reduce(into: []) {
        $0.append(
          AuditRecord(
            at: $1["at"], uid: UInt32(truncatingIfNeeded: $1["uid"] as Int64), sender: $1["sender"],
            verb: $1["verb"], subject: $1["subject"], result: $1["result"]))
      }.reversed()
    }
  }
}
