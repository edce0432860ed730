import GRDB
public import PodModel
public import Time

extension PlacementStore {
  /// How many ended generations of a pod are kept.
  static let generationsKept = 100
  /// How many lines of output are kept with a generation's end. An SQL function takes 127 arguments.
  static let logLinesKept = 100

  /// Records the pod's next launch before anything is started, so that a scope without a row cannot be
  /// podd's.
  ///
  /// - Parameters:
  ///   - createdAt: tells the pod from a later one of the same number, if this one was removed meanwhile.
  ///   - restart: whether podd launches the pod again by itself, which counts in the pod's `restarts`.
  ///   - workload: the version with which it is launched.
  /// - Returns: the generation's number.
  /// - Throws: `.noSuchPod`, also when there is a later pod of that number.
  public func beginGeneration(
    pod name: PodName, createdAt: WallTime? = nil, restart: Bool = false, workload: WorkloadVersion? = nil,
    now: WallTime
  ) throws(StoreError) -> Int {
    try write { db in
      let generation = try Int.fetchOne(
        db.cachedStatement(
          sql: """
            UPDATE pod SET generation = generation + 1, restarts = restarts + ?1
            WHERE number = ?2 AND created_at = coalesce(?3, created_at) RETURNING generation
            """), arguments: [restart, name.number, createdAt])
      guard let generation else { throw StoreError.noSuchPod(name) }
      let unit = UnitName(pod: name, generation: generation)
      try db.cachedStatement(
        sql: """
          INSERT INTO generation (pod, generation, unit, begun_at, workload, workload_version)
          VALUES (?, ?, ?, ?, ?, ?)
          """
      ).execute(
        arguments: [name.number, generation, unit.description, now, workload?.workload, workload?.version])
      if let workload { try Self.keep(workload, db) }
      try db.cachedStatement(
        sql: "DELETE FROM generation WHERE pod = ? AND generation <= ? AND ended_at IS NOT NULL"
      ).execute(arguments: [name.number, generation - Self.generationsKept])
      return generation
    }
  }

  /// Records that the generation's scope runs with this main process.
  public func generationStarted(
    _ unit: UnitName, bootID: String, invocationID: String, mainPID: Int32, mainStartTicks: UInt64,
    now: WallTime
  ) throws(StoreError) {
    try update(
      unit,
      """
      UPDATE generation SET boot_id = ?, invocation_id = ?, main_pid = ?, main_start_ticks = ?, started_at = ?
      WHERE pod = ? AND generation = ?
      """, [bootID, invocationID, mainPID, Int64(bitPattern: mainStartTicks), now])
  }

  public func generationReady(_ unit: UnitName, now: WallTime) throws(StoreError) {
    try update(unit, "UPDATE generation SET ready_at = ? WHERE pod = ? AND generation = ?", [now])
  }

  /// Records that podd begins to stop it, and why.
  ///
  /// - Parameter asked: whether podd asks systemd now; false while it waits for connections first.
  public func setStopCause(_ cause: EndReason, asked: Bool, of unit: UnitName) throws(StoreError) {
    try update(
      unit, "UPDATE generation SET stop_cause = ?, stop_asked = ? WHERE pod = ? AND generation = ?",
      [cause.description, asked])
  }

  /// Records a generation's end. The first reason stays.
  ///
  /// - Parameter evidence: a JSON value.
  /// - Returns: false when the end had been recorded before; then nothing was changed.
  @discardableResult
  public func endGeneration(
    _ unit: UnitName, reason: EndReason, evidence: String? = nil, now: WallTime
  ) throws(StoreError) -> Bool {
    let (pod, generation) = (unit.pod.number, unit.generation)
    return try write { db in
      guard try Self.generation(db, unit) != nil else { throw StoreError.noSuchGeneration(unit) }
      try db.cachedStatement(
        sql: """
          UPDATE generation SET ended_at = ?, reason = ?, evidence = ?
          WHERE pod = ? AND generation = ? AND ended_at IS NULL
          """
      ).execute(arguments: [now, reason.description, evidence, pod, generation])
      guard db.changesCount == 1 else { return false }
      // An older generation may end after its successor began (an overlapping drain) or even ended.
      try db.cachedStatement(
        sql: """
          UPDATE pod SET last_exit_reason = ?1 WHERE number = ?2 AND NOT EXISTS
            (SELECT 1 FROM generation WHERE pod = ?2 AND generation > ?3 AND ended_at IS NOT NULL)
          """
      ).execute(arguments: [reason.description, pod, generation])
      return true
    }
  }

  /// Sets the pod's last lines as the key `log` of the evidence that was recorded with a generation's end.
  ///
  /// - Parameter lines: at most ``logLinesKept`` are taken, the last ones.
  public func addLog(to unit: UnitName, lines: [String]) throws(StoreError) {
    let lines = lines.suffix(Self.logLinesKept)
    let places = Array(repeating: "?", count: lines.count).joined(separator: ", ")
    try update(
      unit,
      """
      UPDATE generation SET evidence = json_set(coalesce(evidence, '{}'), '$.log', json_array(\(places)))
      WHERE pod = ? AND generation = ?
      """, StatementArguments(lines))
  }

  /// Generations whose end is not recorded. At its start, podd adopts them or finds that they have ended.
  public func openGenerations() throws(StoreError) -> [GenerationRecord] {
    try read { db in
      try Self.generations(db, where: "ended_at IS NULL ORDER BY pod, generation", [])
    }
  }

  /// A pod's generations, the latest first.
  public func generations(ofPod name: PodName, limit: Int) throws(StoreError) -> [GenerationRecord] {
    try read { db in
      try Self.generations(db, where: "pod = ? ORDER BY generation DESC LIMIT ?", [name.number, limit])
    }
  }

  static func hasOpenGeneration(_ db: Database, _ pod: Int) throws -> Bool {
    let sql = "SELECT 1 FROM generation WHERE pod = ? AND ended_at IS NULL LIMIT 1"
    return try Int.fetchOne(db.cachedStatement(sql: sql), arguments: [pod]) != nil
  }

  private static func generation(_ db: Database, _ unit: UnitName) throws -> GenerationRecord? {
    try generations(db, where: "pod = ? AND generation = ?", [unit.pod.number, unit.generation]).first
  }

  private static func generations(
    _ db: Database, where condition: String, _ arguments: StatementArguments
  ) throws -> [GenerationRecord] {
    let sql = "SELECT \(GenerationRecord.columns) FROM generation WHERE \(condition)"
    return try Row.fetchCursor(db.cachedStatement(sql: sql), arguments: arguments)
      .reduce(into: []) { $0.append(try GenerationRecord($1)) }
  }

  private func update(
    _ unit: UnitName, _ sql: String, _ values: StatementArguments
  ) throws(StoreError) {
    try write { db in
      try db.cachedStatement(sql: sql)
        .execute(arguments: values + [unit.pod.number, unit.generation])
      if db.changesCount == 0 { throw StoreError.noSuchGeneration(unit) }
    }
  }
}
