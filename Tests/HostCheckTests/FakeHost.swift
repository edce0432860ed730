import Glibc

/// A directory that looks like a host. It is removed with this object.
final class FakeHost {
  let root: String
  /// In the order of creation; removing them in the reverse order empties directories first.
  private var created: [String] = []

  init() {
    var template = Array("/tmp/podctl-hostcheck-XXXXXX".utf8CString)
    root = template.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress, mkdtemp(start) != nil else { fatalError("mkdtemp") }
      return String(cString: start)
    }
  }

  deinit {
    for path in created.reversed() { _ = Glibc.remove(path) }
    rmdir(root)
  }

  /// A host on which nothing is missing, as Debian 12 installs it.
  static func debian12() -> FakeHost {
    let host = FakeHost()
    host.write("proc/1/comm", "systemd\n")
    host.write("proc/cmdline", "BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 ro quiet\n")
    host.write("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
    host.write("run/systemd/system/keep", "")
    host.write("run/dbus/system_bus_socket", "")
    host.write("usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so", "")
    host.write("usr/lib/x86_64-linux-gnu/libnss_systemd.so.2", "")
    host.write("etc/nsswitch.conf", "passwd:         files systemd\ngroup:          files systemd\n")
    host.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n")
    host.write("sys/fs/cgroup/cgroup.subtree_control", "memory pids\n")
    host.write("usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service", "")
    host.write("usr/sbin/nft", "")
    host.write("proc/sys/kernel/unprivileged_bpf_disabled", "2\n")
    host.write("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
    host.write("proc/sys/net/ipv4/ip_local_reserved_ports", "\n")
    return host
  }

  func write(_ path: String, _ content: String) {
    let whole = "\(root)/\(path)"
    for (index, character) in zip(whole.indices, whole) where character == "/" && index >= root.endIndex {
      let directory = String(whole[..<index])
      if mkdir(directory, 0o755) == 0 { created.append(directory) }
    }
    guard let file = fopen(whole, "w") else { fatalError("cannot write \(whole)") }
    created.append(whole)
    fputs(content, file)
    fclose(file)
  }

  func remove(_ path: String) { _ = Glibc.remove("\(root)/\(path)") }
}
