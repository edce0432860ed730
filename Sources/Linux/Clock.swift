internal import CLinux

/// CLOCK_REALTIME in microseconds since the epoch.
public func realtimeNow() -> UInt64 { linux_realtime() }

/// CLOCK_MONOTONIC in microseconds; it stands still while the host sleeps.
public func monotonicNow() -> UInt64 { linux_monotonic() }
