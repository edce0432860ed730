import GRDB
public import PodModel
public import Time

/// Numbers of pods and users.
public struct PlacementCounts: Sendable, Equatable {
  public struct Tier: Sendable, Equatable {
    public var pods = 0
    public var users = 0
  }
  /// By tier name, without tiers that have no pod.
  public var tiers: [String: Tier] = [:]

  public var pods: Int { tiers.values.reduce(0) { $0 + $1.pods } }
  /// Active and suspended users.
  public var users: Int { tiers.values.reduce(0) { $0 + $1.users } }
}

extension PlacementStore {
  public func pods() throws(StoreError) -> [PodRecord] {
    try read { db in
      let sql = "SELECT \(PodRecord.columns) FROM pod ORDER BY number"
      return try Row.fetchCursor(db.cachedStatement(sql: sql)).reduce(into: []) {
        $0.append(try PodRecord($1))
      }
    }
  }

  /// - Throws: `.noSuchPod`.
  public func pod(_ name: PodName) throws(StoreError) -> PodRecord {
    try read { db in
      guard let pod = try Self.pod(db, name.number) else { throw StoreError.noSuchPod(name) }
      return pod
    }
  }

  /// - Throws: `.noSuchUser`; a deleted user is still known.
  public func user(_ name: UserName) throws(StoreError) -> UserRecord {
    try read { db in
      guard let user = try Self.user(db, name) else { throw StoreError.noSuchUser(name) }
      return user
    }
  }

  /// A page of all users, deleted ones too, by name: those that come after `name`, or the first ones.
  public func users(after name: UserName? = nil, limit: Int) throws(StoreError) -> [UserRecord] {
    try read { db in
      try Self.users(db, where: "name > ? ORDER BY name LIMIT ?", [name?.text ?? "", limit])
    }
  }

  /// The users placed on a pod, active and suspended, by name.
  public func users(ofPod name: PodName) throws(StoreError) -> [UserRecord] {
    try read { db in
      try Self.users(db, where: "pod = ? ORDER BY name", [name.number])
    }
  }

  /// Whether nothing was ever done with this database: it has no pod, user, generation or call on record.
  public func isPristine() throws(StoreError) -> Bool {
    try read { db in
      for table in ["pod", "user", "generation", "audit"] {
        if try Bool.fetchOne(db, sql: "SELECT 1 FROM \(table) LIMIT 1") != nil { return false }
      }
      return true
    }
  }

  public func counts() throws(StoreError) -> PlacementCounts {
    try read { db in
      let sql = "SELECT tier, count(*) AS pods, sum(users) AS users FROM pod GROUP BY tier"
      return try Row.fetchCursor(db.cachedStatement(sql: sql)).reduce(into: PlacementCounts()) {
        $0.tiers[$1["tier"]] = PlacementCounts.Tier(pods: $1["pods"], users: $1["users"])
      }
    }
  }

  /// - Parameter createdAt: tells the pod from a later one of the same number, if this one was removed meanwhile.
  /// - Throws: `.noSuchPod`, also when there is a later pod of that number.
  public func setWanted(
    _ wanted: PodRecord.Wanted, pod name: PodName, createdAt: WallTime? = nil
  ) throws(StoreError) {
    try update(name, createdAt, "wanted = ?", wanted.rawValue)
  }

  /// Records that a pod's start limit was hit, or that this is over. Meanwhile it gets no new users.
  ///
  /// - Parameter createdAt: as for ``setWanted(_:pod:createdAt:)``.
  public func setCrashLoopHold(
    _ held: Bool, pod name: PodName, createdAt: WallTime? = nil
  ) throws(StoreError) {
    try update(name, createdAt, "state_hold = ?", held)
  }

  private func update(
    _ name: PodName, _ createdAt: WallTime?, _ change: String, _ value: some DatabaseValueConvertible
  ) throws(StoreError) {
    try write { db in
      let sql = "UPDATE pod SET \(change) WHERE number = ? AND created_at = coalesce(?, created_at)"
      try db.cachedStatement(sql: sql).execute(arguments: [value, name.number, createdAt])
      if db.changesCount == 0 { throw StoreError.noSuchPod(name) }
    }
  }

  static func pod(_ db: Database, _ number: Int) throws -> PodRecord? {
    let sql = "SELECT \(PodRecord.columns) FROM pod WHERE number = ?"
    return try Row.fetchOne(db.cachedStatement(sql: sql), arguments: [number]).map(PodRecord.init)
  }

  static func user(_ db: Database, _ name: UserName) throws -> UserRecord? {
    try users(db, where: "name = ?", [name.text]).first
  }

  static func users(
    _ db: Database, where condition: String, _ arguments: StatementArguments
  ) throws -> [UserRecord] {
    let sql = "SELECT \(UserRecord.columns) FROM user WHERE \(condition)"
    return try Row.fetchCursor(db.cachedStatement(sql: sql), arguments: arguments)
      .reduce(into: []) { $0.append(try UserRecord($1)) }
  }
}
