import GRDB
public import PodModel
public import Time

extension PlacementStore {
  /// The pods that ended for `reason` since then, and when, in no order.
  public func ends(
    _ reason: EndReason, since: WallTime
  ) throws(StoreError) -> [(pod: PodName, at: WallTime)] {
    try read { db in
      try Row.fetchCursor(
        db.cachedStatement(sql: "SELECT pod, ended_at FROM generation WHERE reason = ? AND ended_at > ?"),
        arguments: [reason.description, since]
      ).reduce(into: []) { $0.append((PodName(number: $1["pod"]), $1["ended_at"])) }
    }
  }
}
