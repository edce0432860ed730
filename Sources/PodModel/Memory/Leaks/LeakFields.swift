internal import Time

extension LeakDetector.Finding {
  /// The figures as journal fields: growth rates in bytes per second, sizes in bytes.
  public var journalFields: [(JournalField, String)] {
    func whole(_ value: Double) -> String {
      String(Int64(min(max(value.rounded(), -9e18), 9e18)))
    }
    return [
      (.leakSlope, whole(slope)), (.leakSlopeLow, whole(slopeLow)),
      (.leakSlopeHigh, whole(slopeHigh)), (.leakMemory, String(held)),
    ] + (limit.map { [(.leakLimit, String($0))] } ?? [])
      + (timeToLimit.map { [(.leakTimeToLimit, String($0.count))] } ?? [])
  }
}
