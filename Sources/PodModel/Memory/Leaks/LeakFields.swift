extension LeakDetector.Finding {
  /// The figures as journal fields: growth rates in bytes per second, sizes in bytes.
  public var journalFields: [(String, String)] {
    func whole(_ value: Double) -> String {
      String(Int64(min(max(value.rounded(), -9e18), 9e18)))
    }
    return [
      ("POD_LEAK_SLOPE", whole(slope)), ("POD_LEAK_SLOPE_LOW", whole(slopeLow)),
      ("POD_LEAK_SLOPE_HIGH", whole(slopeHigh)), ("POD_LEAK_MEMORY", String(held)),
    ] + (limit.map { [("POD_LEAK_LIMIT", String($0))] } ?? [])
      + (timeToLimit.map { [("POD_LEAK_TIME_TO_LIMIT_USEC", whole($0 * 1e6))] } ?? [])
  }
}
