public import GRDB
public import Time

/// A point in time is an INTEGER column of microseconds since the epoch.
extension WallTime: DatabaseValueConvertible {
  public var databaseValue: DatabaseValue { Int64(clamping: sinceEpoch.count).databaseValue }

  /// What lies before the epoch, which no podd has written, is the epoch.
  public static func fromDatabaseValue(_ value: DatabaseValue) -> WallTime? {
    Int64.fromDatabaseValue(value).map { WallTime(sinceEpoch: Microseconds(UInt64(clamping: $0))) }
  }
}
