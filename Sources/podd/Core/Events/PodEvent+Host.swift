import PodModel
import PodStore
import Systemd
import Time

/// What happens on the host: users, rollouts, settings, permissions and the packet filter.
extension PodEvent {
  static func userProvisioned(_ user: UserName, _ pod: Subject) -> PodEvent {
    PodEvent(.userProvisioned, "\(user) is placed on \(pod.pod).", pod.fields + [(.user, user.text)])
  }

  /// - Parameter pod: the pod that the user was placed on, as it is now.
  static func userDeprovisioned(_ user: UserName, from pod: PodRecord?, purged: Bool) -> PodEvent {
    var sentence = "\(user) is no longer placed\(purged ? "; the data is removed" : "; the data is kept")."
    if purged, let pod, pod.users > 0 {
      sentence +=
        " What the program of \(pod.name) stored for all of its users stays until the last of them is removed."
    }
    return PodEvent(
      .userDeprovisioned, sentence, [(.user, user.text), (.pod, pod?.name.description ?? "")])
  }

  static func userSuspended(_ user: UserName, _ pod: Subject) -> PodEvent {
    PodEvent(
      .userSuspended, "\(user) is suspended: no access, and the data stays in \(pod.pod).",
      pod.fields + [(.user, user.text)])
  }

  static func userResumed(_ user: UserName, _ pod: Subject) -> PodEvent {
    PodEvent(
      .userResumed, "\(user) has access to \(pod.pod) again, with a new token.",
      pod.fields + [(.user, user.text)])
  }

  /// - Parameter why: what the kernel said, and about which path.
  static func userDataTrouble(_ user: UserName, _ pod: Subject, _ why: String) -> PodEvent {
    PodEvent(
      .userDataTrouble, "\(user) cannot use \(pod.pod), which serves its other users: \(why).",
      priority: .error, pod.fields + [(.user, user.text)])
  }

  static func rolloutDone(_ rollout: Rollout) -> PodEvent {
    PodEvent(
      .rolloutDone, "The rollout of tier \(rollout.tier) has replaced \(rollout.replaced) pods.",
      [(.tier, rollout.tier)])
  }

  static func rolloutStopped(_ rollout: Rollout, _ stop: Rollout.Stop) -> PodEvent {
    PodEvent(
      .rolloutStopped,
      "The \(rollout.clause(stop)).",
      priority: .error, alert: .rolloutStopped, [(.tier, rollout.tier), (.pod, stop.pod.description)])
  }

  /// - Parameter outcome: how many were taken over, ended and so on, in words.
  static func reconciled(pods: Int, outcome: String, took: Microseconds) -> PodEvent {
    PodEvent(
      .reconciled, "\(pods) pods known: \(outcome), in \(took / .milliseconds(1)) ms.",
      [(.duration, String(took.count))])
  }

  /// - Parameter fields: the place of the mistake, or the pod that cannot be launched because of it.
  static func settingsError(_ sentence: String, _ fields: Fields) -> PodEvent {
    PodEvent(.settingsError, sentence, priority: .error, fields)
  }

  static func hostUnfit(check: String, _ sentence: String) -> PodEvent {
    PodEvent(.hostUnfit, sentence, priority: .error, [(.check, check)])
  }

  static func portTaken(_ pod: Subject, port: Int, holder: PortHolder) -> PodEvent {
    PodEvent(
      .hostUnfit,
      "\(pod.pod) cannot be launched while \(holder) listens at its port \(port): stop that program, or let it"
        + " listen elsewhere.",
      priority: .error, alert: .launchFailed, pod.fields + [(.check, "port-taken")])
  }

  static func accessDenied(
    method: String, action: String, uid: UInt32, sender: String, subject: String, why: String,
    omitted: Int = 0
  ) -> PodEvent {
    let before = omitted == 0 ? "" : " (\(omitted) more such calls since the last entry)"
    return PodEvent(
      .accessDenied, "\(method) was denied to uid \(uid): \(why)\(before)", priority: .warning,
      [
        (.action, action), (.callerUID, String(uid)), (.caller, sender),
        (.subject, subject.filter { $0 >= " " }),
      ])
  }

  static func firewallLost() -> PodEvent {
    PodEvent(
      .firewallLost, "The packet filter rules for pods are gone; loading them again.", priority: .warning,
      alert: .firewallLost)
  }

  static func historySetAside(_ aside: String, cause: String) -> PodEvent {
    PodEvent(
      .historySetAside,
      "The memory history was unusable and is begun again; the old file is now \(aside). \(cause)",
      priority: .warning)
  }
}
