import GRDB

extension DatabaseMigrator {
  /// Brings a database's schema up to date. Refuses a database that a newer podctl has migrated, before it is
  /// written to: its rules are not known here.
  func migrateForward(_ queue: DatabaseQueue, file: String) throws {
    let unknown = try queue.read { db in try appliedIdentifiers(db) }.subtracting(migrations)
    if !unknown.isEmpty {
      throw StoreError.newerSchema(
        file: file, unknown: unknown.sorted(), newestKnown: migrations.last ?? "none")
    }
    try migrate(queue)
  }
}
