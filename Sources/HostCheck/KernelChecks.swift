extension HostCheck {
  func checkUnified(_ tree: Tree) -> Check {
    let id = "cgroup-v2"
    let parameter = "systemd.unified_cgroup_hierarchy=1"
    var finding: Finding?
    if !tree.exists("sys/fs/cgroup/cgroup.controllers") {
      let hybrid = tree.exists("sys/fs/cgroup/unified/cgroup.controllers")
      let legacy = hybrid || tree.exists("sys/fs/cgroup/memory") || tree.exists("sys/fs/cgroup/systemd")
      let what =
        hybrid
        ? "The host runs the hybrid cgroup hierarchy: the controllers are in cgroup v1."
        : legacy
          ? "The host runs cgroup v1; pods need the unified hierarchy, cgroup v2."
          : "cgroup v2 is not mounted: /sys/fs/cgroup/cgroup.controllers is missing."
      finding = Finding(id: id, severity: .fatal, what: what, fix: Self.boot(with: parameter, tree))
    }
    return Check(id: id, title: "cgroup v2 (unified hierarchy)", finding: finding)
  }

  func checkControllers(_ tree: Tree) -> [Check] {
    let available = tree.words("sys/fs/cgroup/cgroup.controllers") ?? []
    let enabled = tree.words("sys/fs/cgroup/cgroup.subtree_control") ?? []
    return [
      ("memory", Finding.Severity.fatal, "pods could not be held inside MemoryMax="),
      ("pids", .fatal, "pods could not be held inside TasksMax="),
      ("cpu", .fatal, "pods could not be held inside CPUQuota="),
      ("io", .advice, "IOWeight= has no effect"),
    ].map { name, severity, consequence in
      let id = "cgroup-\(name)"
      var finding: Finding?
      if !available.contains(where: { $0 == name }) {
        finding = Finding(
          id: id, severity: severity,
          what: "The \(name) controller is not in /sys/fs/cgroup/cgroup.controllers, so \(consequence).",
          fix: Self.fixController(name, tree))
      } else if name == "memory" && !enabled.contains("memory") {
        // systemd enables it with the first limit, unless a setting forbids it.
        finding = Finding(
          id: id, severity: .advice,
          what: "The memory controller is not enabled: /sys/fs/cgroup/cgroup.subtree_control"
            + " does not name it.",
          fix: "systemd enables it with the first pod, unless DisableControllers= forbids it:"
            + " see systemctl show -p DisableControllers -- -.slice.")
      }
      return Check(id: id, title: "\(name) controller", finding: finding)
    }
  }

  private static func fixController(_ name: String, _ tree: Tree) -> String {
    let words = tree.words("proc/cmdline") ?? []
    for word in words where word.hasPrefix("cgroup_disable=") {
      if word.dropFirst(15).split(separator: ",").contains(where: { $0 == name }) {
        return "Take \(word) off the kernel command line: remove it from GRUB_CMDLINE_LINUX"
          + " in /etc/default/grub, run update-grub and reboot."
      }
    }
    if name == "memory" { return boot(with: "cgroup_enable=memory", tree) }
    return "Boot one of Debian's own kernels: apt install linux-image-\(architecture)."
  }

  func checkPressure(_ tree: Tree) -> Check {
    let id = "psi"
    var finding: Finding?
    if tree.read("proc/pressure/memory")?.hasPrefix("some ") != true {
      finding = Finding(
        id: id, severity: .fatal,
        what: "The kernel does not measure pressure (PSI): /proc/pressure/memory cannot be read.",
        fix: Self.boot(with: "psi=1", tree))
    }
    return Check(id: id, title: "pressure stall information (PSI)", finding: finding)
  }

  func checkFirewall(_ tree: Tree) -> Check {
    let id = Self.firewallID
    var finding: Finding?
    if !tree.exists("usr/sbin/nft") && !tree.exists("sbin/nft") {
      finding = Finding(
        id: id, severity: .fatal,
        what: "nft is not installed, so no pod is launched: nothing would keep it from reaching services of"
          + " this host that listen on 0.0.0.0.",
        fix: "Install it: apt install nftables.")
    }
    return Check(id: id, title: "nftables", finding: finding)
  }

  /// Programs of a cgroup decide which ports a pod may bind.
  func checkBPF(_ tree: Tree) -> Check {
    let id = "bpf"
    var finding: Finding?
    // The kernel has this setting if it has the system call.
    if !tree.exists("proc/sys/kernel/unprivileged_bpf_disabled") {
      finding = Finding(
        id: id, severity: .fatal,
        what: "The kernel has no bpf(2), so a pod could take the ports of other pods.",
        fix: "Boot one of Debian's own kernels: apt install linux-image-\(Self.architecture).")
    }
    return Check(id: id, title: "BPF programs for cgroups", finding: finding)
  }

  /// How to add a kernel parameter, or to replace the opposite one that is in force.
  private static func boot(with parameter: String, _ tree: Tree) -> String {
    let key = parameter.prefix { $0 != "=" } + "="
    let contrary = (tree.words("proc/cmdline") ?? []).last { $0.hasPrefix(key) && $0 != parameter }
    if let contrary {
      return "Boot with \(parameter) instead of \(contrary) on the kernel command line: change it in"
        + " GRUB_CMDLINE_LINUX in /etc/default/grub, run update-grub and reboot."
    }
    return "Boot with \(parameter) on the kernel command line: add it to GRUB_CMDLINE_LINUX in"
      + " /etc/default/grub, run update-grub and reboot."
  }

  private static var architecture: String {
    #if arch(arm64)
      "arm64"
    #else
      "amd64"
    #endif
  }
}
