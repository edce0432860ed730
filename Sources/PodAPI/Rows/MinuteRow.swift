public import PodModel
public import Systemd
public import Time

/// One minute in the reply of `GetHistory` (MinuteRow of org.podctl1.xml).
extension MemoryMinute: Row {
  public static let signature = "tttttttuttt"
  private static let length: Microseconds = .minutes(1)

  /// When the minute began.
  public var time: WallTime { .epoch + Self.length * UInt64(clamping: minute) }

  /// The number of the minute that contains `time`.
  public static func number(at time: WallTime) -> Int64 { Int64(time.sinceEpoch / length) }

  public init(reading message: borrowing Message) throws(BusError) {
    try message.enterStructure(Self.signature)
    self.init(
      minute: Self.number(at: try message.readWallTime()),
      generation: Int(clamping: try message.readUInt64()),
      anon: try message.readUInt64(), swap: try message.readUInt64(), file: try message.readUInt64(),
      current: try message.readUInt64(), currentMax: try message.readUInt64(),
      activeUsers: Int(try message.readUInt32()), stalledSome: try message.readMicroseconds(),
      stalledFull: try message.readMicroseconds(), cpu: try message.readMicroseconds())
    try message.exitContainer()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.openContainer(.structure, Self.signature)
    try message.append(time)
    try message.append(UInt64(clamping: generation))
    try message.append(anon)
    try message.append(swap)
    try message.append(file)
    try message.append(current)
    try message.append(currentMax)
    try message.append(UInt32(clamping: activeUsers))
    try message.append(stalledSome)
    try message.append(stalledFull)
    try message.append(cpu)
    try message.closeContainer()
  }

  /// The object of `podctl history --json`.
  public var json: JSON {
    func seconds(_ span: Microseconds) -> JSON { .double(span.seconds) }
    return .object([
      ("time", .string(Timestamp.rfc3339(time))), ("generation", .uint(UInt64(clamping: generation))),
      ("anon", .uint(anon)), ("swap", .uint(swap)), ("file", .uint(file)), ("current", .uint(current)),
      ("current_max", .uint(currentMax)), ("active_users", .uint(UInt64(clamping: activeUsers))),
      ("pressure_some_seconds", seconds(stalledSome)), ("pressure_full_seconds", seconds(stalledFull)),
      ("cpu_seconds", seconds(cpu)),
    ])
  }
}
