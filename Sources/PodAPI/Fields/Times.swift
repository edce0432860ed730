public import Systemd
public import Time

// Times of org.podctl1: `t`, microseconds. Where there may be none, 0 stands for no point in time, and
// 18446744073709551615 for no span.
extension Message {
  func append(_ span: Microseconds) throws(BusError) { try append(span.count) }
  func append(_ time: WallTime) throws(BusError) { try append(time.sinceEpoch.count) }

  func readMicroseconds() throws(BusError) -> Microseconds { Microseconds(try readUInt64()) }
  func readWallTime() throws(BusError) -> WallTime { WallTime(sinceEpoch: try readMicroseconds()) }

  func appendOptional(_ span: Microseconds?) throws(BusError) { try append(span?.count ?? PodBus.noSize) }
  func appendOptional(_ time: WallTime?) throws(BusError) { try append(time?.sinceEpoch.count ?? 0) }
  func appendOptional(_ time: LoopTime?) throws(BusError) { try append(time?.sinceBoot.count ?? 0) }

  func readOptionalSpan() throws(BusError) -> Microseconds? { try readSize().map { Microseconds($0) } }
  func readOptionalWallTime() throws(BusError) -> WallTime? {
    try readUInt64().nonZero.map { WallTime(sinceEpoch: Microseconds($0)) }
  }
  func readOptionalLoopTime() throws(BusError) -> LoopTime? {
    try readUInt64().nonZero.map { LoopTime(sinceBoot: Microseconds($0)) }
  }
}

extension Variant {
  /// A span; nil for no value.
  public static func span(_ span: Microseconds?) -> Variant { .uint(span?.count ?? PodBus.noSize) }

  /// A point in time; nil for no value.
  public static func time(_ time: WallTime?) -> Variant { .uint(time?.sinceEpoch.count ?? 0) }
}

extension Properties {
  /// Nil when absent, of another type, or "no value".
  public func span(_ key: String) -> Microseconds? { uint(key).map { Microseconds($0) } }

  /// The same for `Since` and `…Timestamp`.
  public func time(_ key: String) -> WallTime? { span(key).map { WallTime(sinceEpoch: $0) } }
}
