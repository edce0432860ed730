import PodModel
import Systemd

/// What a pod waits for, for `explain`.
extension Pod {
  /// The next event in its life that podd would act on, and when it comes by itself: CLOCK_REALTIME in
  /// microseconds, 0 where no time is known.
  var nextEvent: (sentence: String, at: UInt64) {
    switch state {
    case .cold:
      (
        wakeOnConnect.wakePolicy == .wakes
          ? "it is launched when somebody connects to it" : "it is launched when a user needs it", 0
      )
    case .stopped: ("it stays stopped until 'podctl start \(name)'", 0)
    case .crashLoop: ("it is held until 'podctl reset \(name)'", 0)
    case .backoff: ("it is launched again", lifecycle.backoffUntil.map(Self.realtime) ?? 0)
    case .starting:
      ("it says that it is ready, or is stopped as too slow", deadline(current?.workload?.timeoutStartUSec))
    case .draining:
      ("it is stopped when its connections are gone", deadline(current?.workload?.timeoutDrainUSec))
    case .stopping: ("it ends, or is killed", deadline(current?.workload?.timeoutStopUSec))
    case .frozen: ("it is thawed by a request or by hand", 0)
    case .ready:
      switch lifecycle.beside {
      case .successor, .failing:
        (
          "its successor is ready, or given up",
          deadline(other?.workload?.timeoutStartUSec, since: other?.begunAt)
        )
      case .predecessor: ("its predecessor ends, or is killed", 0)
      case nil: current?.liveness == nil ? ("none", 0) : ("it is asked whether it is alive", 0)
      }
    }
  }

  private func deadline(_ after: UInt64?, since: UInt64? = nil) -> UInt64 {
    guard let after, after != .max else { return 0 }
    return (since ?? self.since).after(after)
  }

  private static func realtime(_ monotonic: UInt64) -> UInt64 {
    let now = EventLoop.main.now()
    return realtimeNow() + monotonic - min(now, monotonic)
  }
}
