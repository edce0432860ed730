public import PodModel
public import Systemd
internal import Time

/// The requests of a pod, in the arguments of `ReportRequests` and the reply of `ListRequests` (RequestCountsRow of
/// org.podctl1.xml).
public struct RequestCountsRow: Row, Equatable {
  public static let signature = "stat"

  public var pod: String
  public var counts: RequestCounts

  public init(pod: String, counts: RequestCounts) {
    self.pod = pod
    self.counts = counts
  }

  public init(reading message: borrowing Message) throws(BusError) {
    try message.enterStructure(Self.signature)
    pod = try message.readString()
    let total = try message.readUInt64()
    let buckets = RequestCounts.bounds.count + 1
    var latencies: [UInt64] = []
    try message.readArray(of: "t") { () throws(BusError) in
      guard latencies.count < buckets else { throw .moreThan(buckets) }
      latencies.append(try message.readUInt64())
    }
    try message.exitContainer()
    guard let counts = RequestCounts(total: total, latencies: latencies) else {
      throw BusError(
        name: "org.freedesktop.DBus.Error.InvalidArgs",
        message: "\(latencies.count) latencies of \(pod): there is one for each of \(buckets) buckets")
    }
    self.counts = counts
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.openContainer(.structure, Self.signature)
    try message.append(pod)
    try message.append(counts.total)
    try message.openContainer(.array, "t")
    for count in counts.latencies { try message.append(count) }
    try message.closeContainer()
    try message.closeContainer()
  }
}

extension RequestCounts {
  /// The buckets as Prometheus has them: each counts everything up to its bound, the last one all that have a latency.
  var json: JSON {
    var below: UInt64 = 0
    let bounds = Self.bounds.map { JSON.double($0.seconds) } + [.null]
    return .array(
      zip(bounds, latencies).map { bound, count in
        below &+= count
        return .object([("le", bound), ("count", .uint(below))])
      })
  }
}
