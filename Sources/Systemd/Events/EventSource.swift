internal import CLinux
internal import CSystemd
internal import Glibc
public import Time

/// A timer, descriptor, child or signal that the loop watches; it stops when its owner releases it.
public struct EventSource: ~Copyable {
  private let source: OpaquePointer
  private let handler: Unmanaged<Handler>

  /// Keeps a callback while libsystemd has a pointer to it.
  final class Handler {
    private let body: (_ events: UInt32) -> Void
    init(_ body: @escaping (UInt32) -> Void) { self.body = body }

    /// Called by libsystemd. A callback may release its own source, so this retains the closure until it
    /// returns.
    static func call(_ data: UnsafeMutableRawPointer?, _ events: UInt32) {
      guard let data else { return }
      let handler = Unmanaged<Handler>.fromOpaque(data).takeUnretainedValue()
      withExtendedLifetime(handler) { handler.body(events) }
    }
  }

  private init(_ source: OpaquePointer, _ handler: Unmanaged<Handler>) {
    self.source = source
    self.handler = handler
  }

  deinit {
    nonisolated(unsafe) let (source, handler) = (source, handler)
    EventLoop.main.release {
      sd_event_source_disable_unref(source)
      handler.release()
    }
  }

  /// Watches a descriptor for the EPOLL… events in `events`. The descriptor still belongs to the caller.
  public static func io(
    _ loop: EventLoop, descriptor: CInt, events: UInt32, _ body: @escaping (_ events: UInt32) -> Void
  ) throws(Errno) -> EventSource {
    let handler = Unmanaged.passRetained(Handler(body))
    var source: OpaquePointer?
    let result = sd_event_add_io(
      loop.event, &source, descriptor, events,
      { _, _, events, data in
        Handler.call(data, events)
        return 0
      }, handler.toOpaque())
    return try own(source, result, handler, "watch descriptor")
  }

  /// A hundred years: instead of `infinity`, which sd-event refuses as an overflow.
  private static let longest: Microseconds = .days(36_525)

  /// The accuracy that sd-event uses for 0 (sd_event_add_time(3)).
  private static let coarsest: Microseconds = .milliseconds(250)

  /// Fires once, this long after ``EventLoop/now()``; ``rearm(after:)`` arms it again. It runs by CLOCK_MONOTONIC as
  /// systemd's timeouts of units do: no time passes while the host sleeps.
  /// - Parameter accuracy: how much later it may fire, so that the loop wakes once for several timers. The
  ///   default is a sixteenth of `after`, at most 250 ms, so that short timers stay exact.
  public static func timer(
    _ loop: EventLoop, after: Microseconds, accuracy: Microseconds? = nil, _ body: @escaping () -> Void
  ) throws(Errno) -> EventSource {
    let handler = Unmanaged.passRetained(Handler { _ in body() })
    let accuracy = max(accuracy ?? min(after / 16, coarsest), Microseconds(1))
    var source: OpaquePointer?
    let result = sd_event_add_time_relative(
      loop.event, &source, CLOCK_MONOTONIC, min(after, longest).count, accuracy.count,
      { _, _, data in
        Handler.call(data, 0)
        return 0
      }, handler.toOpaque())
    return try own(source, result, handler, "arm timer")
  }

  /// A blocked signal, delivered by signalfd.
  public static func signal(
    _ loop: EventLoop, _ number: CInt, _ body: @escaping () -> Void
  ) throws(Errno) -> EventSource {
    let handler = Unmanaged.passRetained(Handler { _ in body() })
    var source: OpaquePointer?
    let result = sd_event_add_signal(
      loop.event, &source, number,
      { _, _, data in
        Handler.call(data, 0)
        return 0
      }, handler.toOpaque())
    return try own(source, result, handler, "watch signal \(number)")
  }

  /// Arms a timer again.
  public borrowing func rearm(after: Microseconds) throws(Errno) {
    var result = sd_event_source_set_time_relative(source, min(after, Self.longest).count)
    if result >= 0 { result = sd_event_source_set_enabled(source, CInt(SD_EVENT_ONESHOT)) }
    if result < 0 { throw Errno(result, "arm timer") }
  }

  /// Whether its events are delivered. Events that come while it is off are delivered once it is on again.
  public borrowing func setEnabled(_ isEnabled: Bool) {
    sd_event_source_set_enabled(source, CInt(isEnabled ? SD_EVENT_ON : SD_EVENT_OFF))
  }

  /// Lower runs first; 0 is the default (sd_event_source_set_priority(3)).
  public borrowing func setPriority(_ priority: Int64) {
    sd_event_source_set_priority(source, priority)
  }

  private static func own(
    _ source: OpaquePointer?, _ result: CInt, _ handler: Unmanaged<Handler>, _ what: String
  ) throws(Errno) -> EventSource {
    guard result >= 0, let source else {
      handler.release()
      throw Errno(result, what)
    }
    return EventSource(source, handler)
  }
}

/// The events of a descriptor (epoll_ctl(2)), so that callers need no C constants.
public enum PollEvents {
  public static let input = UInt32(EPOLLIN.rawValue)
  public static let output = UInt32(EPOLLOUT.rawValue)
  /// kernfs raises it when a file such as memory.events has changed.
  public static let priority = UInt32(EPOLLPRI.rawValue)
  public static let error = UInt32(EPOLLERR.rawValue)
}
