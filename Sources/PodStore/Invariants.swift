import GRDB
import PodModel

extension PlacementStore {
  /// Checks the rules that hold in every database at every moment (docs/design.md, invariants 1 and 6), by reading
  /// all of it.
  ///
  /// - Parameter usersPerPod: each tier's limit; other tiers are not checked for it.
  /// - Returns: one sentence for each violation; empty when there is none.
  public func verifyInvariants(usersPerPod: [String: Int] = [:]) throws(StoreError) -> [String] {
    try read { db in
      var broken: [String] = []
      for (sql, sentence) in Self.checks {
        for subject in try String.fetchAll(db, sql: sql) { broken.append("\(subject) \(sentence)") }
      }
      for (tier, limit) in usersPerPod.sorted(by: { $0.key < $1.key }) {
        let crowded = try Int.fetchAll(
          db, sql: "SELECT number FROM pod WHERE tier = ? AND users > ?", arguments: [tier, limit])
        broken += crowded.map { "\(PodName(number: $0)) holds more than the \(limit) users of tier \(tier)" }
      }
      for number in try Int.fetchAll(db, sql: "SELECT number FROM pod") {
        let address = try String.fetchOne(
          db, sql: "SELECT address || front_address || uid FROM pod WHERE number = ?", arguments: [number])
        let expected =
          PodAddress.listening(number: number) + PodAddress.front(number: number)
          + String(PodName.firstUID + number)
        if address != expected {
          broken.append("\(PodName(number: number)) has the address or uid of another")
        }
      }
      broken += try String.fetchAll(db, sql: "PRAGMA quick_check(10)").filter { $0 != "ok" }
      return broken
    }
  }

  private static let checks: [(sql: String, sentence: String)] = [
    (
      """
      SELECT 'pod ' || number FROM pod
      WHERE users <> (SELECT count(*) FROM user WHERE user.pod = pod.number)
      """, "does not count its users right"
    ),
    (
      "SELECT name FROM user WHERE pod IS NOT NULL AND pod NOT IN (SELECT number FROM pod)",
      "is placed on a pod that does not exist"
    ),
    (
      "SELECT name FROM user JOIN pod ON pod.number = user.pod WHERE pod.tier <> user.tier",
      "is placed on a pod of another tier"
    ),
    (
      "SELECT name FROM user WHERE epoch > (SELECT max(epoch) FROM host)",
      "has an epoch that was never given out"
    ),
    (
      """
      SELECT unit FROM generation
      WHERE ended_at IS NULL AND generation > coalesce((SELECT generation FROM pod WHERE number = pod), 0)
      """, "is open, but its pod has not come that far"
    ),
    (
      """
      SELECT 'pod ' || number FROM pod WHERE generation > 0 AND NOT EXISTS
        (SELECT 1 FROM generation AS g WHERE g.pod = pod.number AND g.generation = pod.generation)
      """, "has no record of its latest generation"
    ),
    (
      "SELECT 'pod ' || number FROM pod WHERE users > 0 AND cleaning IS NOT NULL",
      "has users before its directory was cleaned"
    ),
    (
      "SELECT 'pod ' || number FROM pod WHERE users > 0 AND served IS NULL",
      "has users and has served nobody"
    ),
    (
      """
      SELECT name FROM user JOIN pod ON pod.number = user.pod
      WHERE pod.served <> '*' AND pod.served <> user.name
      """, "is placed on a pod that has served another user alone"
    ),
    ("SELECT name FROM user WHERE arriving = 1 AND pod IS NULL", "is deleted and arriving"),
    ("SELECT name FROM user WHERE purging = 1 AND pod IS NOT NULL", "is placed and to be removed"),
    (
      "SELECT name FROM user WHERE pod IS NOT NULL AND kept_from IS NOT NULL AND arriving = 0",
      "is placed, and its data lies elsewhere"
    ),
    (
      "SELECT \"table\" || ' row ' || coalesce(rowid, '?') FROM pragma_foreign_key_check",
      "refers to a row that is not there"
    ),
  ]
}
