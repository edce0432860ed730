internal import PodAPI
internal import Time

/// The column by which `podctl top` sorts: the largest value comes first, or the first name.
enum TopOrder: String, CaseIterable {
  case memory, cpu, pressure, restarts, users, name, requests, latency

  /// The key that selects this order.
  var key: UInt8 {
    // `r` is taken.
    self == .requests ? UInt8(ascii: "s") : rawValue.utf8.first ?? 0
  }

  /// Rows without a value come last in both directions; rows with equal values are sorted by name.
  func sorted(_ rows: [TopRow], reverse: Bool) -> [TopRow] {
    rows.sorted { left, right in
      let (a, b) = (value(left), value(right))
      if let a, let b, a != b { return (a > b) != reverse }
      if (a == nil) != (b == nil) { return a != nil }
      let isFirst = (left.number, left.usage.pod) < (right.number, right.usage.pod)
      let isLast = (right.number, right.usage.pod) < (left.number, left.usage.pod)
      return self == .name && reverse ? isLast : isFirst
    }
  }

  private func value(_ row: TopRow) -> Double? {
    switch self {
    case .memory: row.usage.memoryCurrent.map { Double($0) }
    case .cpu: row.cpu
    case .pressure: row.usage.pressure.map { Double($0) }
    case .restarts: Double(row.usage.restarts)
    case .users: Double(row.usage.users)
    case .name: 0
    case .requests: row.requests?.rate
    case .latency: row.requests?.latency?.seconds
    }
  }
}
