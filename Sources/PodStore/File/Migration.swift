import GRDB

extension DatabaseMigrator {
  /// Brings a database's schema up to date. Refuses a database that a newer podctl has migrated, before it is
  /// written to: its rules are not known here. `isOurs` throws for one that podctl did not make; it is asked where
  /// nothing was migrated yet.
  func migrateForward(
    _ queue: DatabaseQueue, file: String, isOurs: (Database) throws -> Void = { _ in }
  ) throws {
    let applied = try queue.read { db in
      let applied = try appliedIdentifiers(db)
      if applied.isEmpty { try isOurs(db) }
      return applied
    }
    // At nearly every start there is nothing to do.
    if applied == Set(migrations) { return }
    let unknown = applied.subtracting(migrations)
    if !unknown.isEmpty {
      throw StoreError.newerSchema(
        file: file, unknown: unknown.sorted(), newestKnown: migrations.last ?? "none")
    }
    try migrate(queue)
  }
}
