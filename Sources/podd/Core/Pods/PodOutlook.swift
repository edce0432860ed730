import PodModel
import Time

/// Why a pod is in its state, and what podd waits for, in sentences for `explain`. Pure: all times are arguments.
struct PodOutlook {
  let name: PodName
  let lifecycle: Lifecycle
  let users: Int
  /// Those who are not suspended.
  let activeUsers: Int
  /// Whether a connection launches the pod.
  let wakesOnConnect: Bool
  /// Whether the current generation is probed from time to time.
  let isProbed: Bool
  /// What is done to it if nobody uses it, and when; the time is nil while somebody does.
  var idle: (act: IdlePolicy.Act, at: WallTime?)?
  /// When the state was entered.
  let since: WallTime
  /// When the backoff ends; nil without one.
  let backoffUntil: WallTime?
  /// The current generation's; nil where it is not known.
  let workload: Workload?
  /// The other generation.
  var otherUnit: UnitName?
  var otherWorkload: Workload?
  var otherBegunAt: WallTime?
  /// `StartLimitBurst=`.
  let startLimitBurst: Int

  /// The next event in the pod's life that podd acts on, and when it comes by itself; nil where no time is known.
  var next: (sentence: String, at: WallTime?) {
    switch lifecycle.state {
    case .cold:
      wakesOnConnect ? ("a connection launches it", nil) : ("it is launched when a user needs it", nil)
    case .stopped: ("it stays stopped until 'podctl start \(name)'", nil)
    case .crashLoop: ("it is not launched until 'podctl reset \(name)'", nil)
    case .backoff: ("it is launched again", backoffUntil)
    case .starting:
      (
        "it becomes ready, or is stopped because it takes too long",
        deadline(workload?.timeoutStart, since)
      )
    case .draining:
      ("it is stopped when its connections have ended", deadline(workload?.timeoutDrain, since))
    case .stopping: ("it ends, or is killed", deadline(workload?.timeoutStop, since))
    case .frozen:
      idle?.at.map { ("it is stopped, unless a connection or 'podctl thaw \(name)' thaws it before", $0) }
        ?? ("a connection or 'podctl thaw \(name)' thaws it", nil)
    case .ready:
      switch lifecycle.other {
      case .successor, .failing:
        (
          "its successor becomes ready, or is given up",
          deadline(otherWorkload?.timeoutStart, otherBegunAt)
        )
      case .predecessor: ("its predecessor ends, or is killed", nil)
      case nil: nextOfReady
      }
    }
  }

  private var nextOfReady: (sentence: String, at: WallTime?) {
    guard let idle else { return (isProbed ? "it is probed" : "none", nil) }
    let act = idle.act == .freeze ? "frozen" : "stopped"
    return idle.at == nil
      ? ("it is \(act) when nobody has had a connection to it for long enough", nil)
      : ("it is \(act), unless somebody connects", idle.at)
  }

  private func deadline(_ patience: Microseconds?, _ begun: WallTime?) -> WallTime? {
    guard let patience, patience != .infinity, let begun else { return nil }
    return begun + patience
  }

  /// Why it is in its state; empty where the state says it all.
  var reason: String {
    let other = otherUnit?.description ?? "(not on record yet)"
    switch lifecycle.state {
    case .starting: return ""
    case .ready:
      return switch lifecycle.other {
      case .successor: "its successor \(other) is being launched"
      case .failing: "its successor did not become ready and is being stopped"
      case .predecessor: "its predecessor \(other) finishes its requests"
      case nil: ""
      }
    case .draining:
      return "podd waits until its connections end, and then stops it (\(text(lifecycle.stopCause)))"
    case .stopping: return "being stopped (\(text(lifecycle.stopCause)))"
    case .frozen: return "its processes are frozen: a new connection or 'podctl thaw \(name)' thaws them"
    case .stopped: return "stopped by hand"
    case .crashLoop: return "ended \(startLimitBurst) times within the start limit's interval"
    case .backoff:
      guard let fault = HostFault(lifecycle.lastEnd) else {
        return "podd waits before it launches it again, after \(text(lifecycle.lastEnd))"
      }
      return "the host could not launch it: \(fault.what); podd tries again. \(fault.fix)"
    case .cold: return coldReason
    }
  }

  private var coldReason: String {
    if users == 0 { return "it has no users" }
    if activeUsers == 0 { return "all its users are suspended; 'podctl start \(name)' launches it" }
    return switch lifecycle.lastEnd {
    case .idle: "stopped because nobody used it; the next connection wakes it"
    case .pressure: "stopped to give its memory to others; the next connection wakes it"
    case nil: "nobody has needed it yet; a connection or 'podctl start \(name)' launches it"
    default: "stopped; the next connection or 'podctl start \(name)' wakes it"
    }
  }

  private func text(_ reason: EndReason?) -> String { reason?.description ?? "no reason on record" }
}
