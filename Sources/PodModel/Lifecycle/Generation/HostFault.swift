/// What the host lacks while a pod cannot be launched, in the words of `podctl status`, `explain` and `doctor`.
public struct HostFault: Sendable, Hashable {
  /// The step that fails.
  public let stage: LaunchStage
  public let error: ErrnoName

  /// Nil for an end that says something about the pod.
  public init?(_ reason: EndReason?) {
    guard let reason, reason.isLaunchFailureOfHost, case .launchFailed(let stage, let error) = reason else {
      return nil
    }
    self.stage = stage
    self.error = error
  }

  /// What is missing: a clause with a subject and a verb.
  public var what: String {
    if isFull { return "there is no room left where podd writes (\(stage.rawValue): \(error))" }
    let clause =
      switch stage {
      case .settings: "the settings of its tier or its workload cannot be read"
      case .store: "podd cannot write to its database"
      case .files, .users: "podd cannot write the pod's files below /run/podctl and /var/lib/podctl"
      case .socket:
        error == "EADDRINUSE"
          ? "another program listens at the pod's address" : "podd cannot make the pod's socket"
      case .spawn: "podd cannot start pod-launch"
      case .firewall: "the packet filter for pods cannot be changed"
      case .scope: "systemd does not start the pod's scope"
      case .limits: "systemd did not apply the tier's limits"
      case .journal: "the journal does not take the pod's output"
      case .mount: "a path that the pod needs cannot be mounted"
      case .namespace, .cgroup, .plan, .release, .user, .privileges: "pod-launch cannot prepare the pod"
      case .exec, .reload: "the kernel cannot execute the program now"
      }
    return "\(clause) (\(stage.rawValue): \(error))"
  }

  /// What to do about it: a sentence without its full stop.
  public var fix: String {
    if isFull {
      return "Make room: df -h /run /var/lib/podctl and df -i /run /var/lib/podctl show which of them is full"
    }
    return switch stage {
    case .settings: "'podctl doctor' names the mistake"
    case .store: "See why: journalctl -u podd.service; df -h /var/lib/podctl; df -i /var/lib/podctl"
    case .files, .users: "See why: journalctl -u podd.service"
    case .socket: "'ss -ltnp' shows the sockets of this host"
    case .spawn:
      error == "ENOENT"
        ? "Install the package podctl again"
        : "The host lacks memory, processes or descriptors: systemctl status"
    case .firewall: "See why: systemctl status podctl-firewall.service; nft list table inet podctl"
    case .scope: "See why: systemctl is-system-running; journalctl -b _PID=1"
    case .limits: "See which: journalctl -u podd.service; systemctl cat pods.slice"
    case .journal: "Start it: systemctl start systemd-journald.socket systemd-journald.service"
    case .mount: "Look at ReadOnlyPaths= and ReadWritePaths= of the workload; its name is in podctl status"
    case .namespace, .cgroup, .plan, .release, .user, .privileges: "See why: journalctl -u podd.service"
    case .exec, .reload: "The host lacks memory, or its disk fails: journalctl -k"
    }
  }

  private var isFull: Bool { error == "ENOSPC" || error == "EDQUOT" }
}
