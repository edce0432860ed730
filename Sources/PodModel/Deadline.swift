extension UInt64 {
  /// The time `duration` after this one, for durations that may be `infinity` (2^64-1, as in systemd).
  public func after(_ duration: UInt64) -> UInt64 {
    let (sum, isBeyond) = addingReportingOverflow(duration)
    return isBeyond ? .max : sum
  }
}
