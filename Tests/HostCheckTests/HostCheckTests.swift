@testable import HostCheck
import Testing

@Suite struct HostCheckTests {
  @Test func littleRoomIsAdviceAndNoneIsFatal() {
    func severities(_ blocks: (UInt64, UInt64), _ inodes: (UInt64, UInt64)) -> [Finding.Severity] {
      HostCheck.room("/run", blocks: blocks, blockSize: 4096, inodes: inodes).map(\.severity)
    }
    #expect(severities((500_000, 1_000_000), (50_000, 100_000)).isEmpty)
    #expect(severities((19_999, 1_000_000), (1_999, 100_000)) == [.advice, .advice])
    #expect(severities((0, 1_000_000), (0, 2_000)) == [.fatal, .fatal])
    // btrfs counts no inodes.
    #expect(severities((500_000, 1_000_000), (0, 0)).isEmpty)
    // A small file system: what a launch needs counts, not a share.
    #expect(severities((1_000, 4_000), (300, 2_000)) == [.advice])
  }

  private func findings(_ host: FakeHost, systemd: String? = nil) -> [Finding] {
    HostCheck(root: host.root, systemdVersion: systemd).findings()
  }

  @Test func aDebianHostLacksNothing() {
    let host = FakeHost.debian12()
    #expect(findings(host) == [])
    let checks = HostCheck(root: host.root).run()
    #expect(checks.contains { $0.title == "systemd 252" })
    #expect(Set(checks.map(\.id)).count == checks.count)
  }

  @Test func withoutUnifiedHierarchyOnlyThatIsSaidOfCgroups() {
    let host = FakeHost.debian12()
    host.remove("sys/fs/cgroup/cgroup.controllers")
    host.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "")
    let found = findings(host)
    #expect(found.map(\.id) == ["cgroup-v2"])
    #expect(found.first?.severity == .fatal)
    #expect(found.first?.what.contains("cgroup v1") == true)
    #expect(found.first?.fix.contains("systemd.unified_cgroup_hierarchy=1") == true)
  }

  @Test func hybridHierarchyIsNamedAndItsParameterReplaced() {
    let host = FakeHost.debian12()
    host.remove("sys/fs/cgroup/cgroup.controllers")
    host.write("sys/fs/cgroup/unified/cgroup.controllers", "")
    host.write("proc/cmdline", "root=/dev/vda systemd.unified_cgroup_hierarchy=0 quiet\n")
    let found = findings(host)
    #expect(found.first?.what.contains("hybrid") == true)
    #expect(found.first?.fix.contains("instead of systemd.unified_cgroup_hierarchy=0") == true)
  }

  @Test(arguments: ["", "Operation not supported"])
  func pressureThatCannotBeReadIsMissing(content: String) {
    let host = FakeHost.debian12()
    host.write("proc/pressure/memory", content)
    let found = findings(host)
    #expect(found.map(\.id) == ["psi"])
    #expect(found.first?.fix.contains("psi=1") == true)
    #expect(found.first?.fix.contains("update-grub") == true)
  }

  @Test func pressureSwitchedOffOnTheCommandLineIsNamed() {
    let host = FakeHost.debian12()
    host.remove("proc/pressure/memory")
    host.write("proc/cmdline", "root=/dev/vda psi=0\n")
    #expect(findings(host).first?.fix.contains("psi=1 instead of psi=0") == true)
  }

  @Test(arguments: ["memory", "pids", "cpu"])
  func aMissingControllerIsFatal(name: String) {
    let host = FakeHost.debian12()
    let rest = ["cpu", "io", "memory", "pids"].filter { $0 != name }.joined(separator: " ")
    host.write("sys/fs/cgroup/cgroup.controllers", rest + "\n")
    let found = findings(host)
    #expect(found.map(\.id) == ["cgroup-\(name)"])
    #expect(found.first?.severity == .fatal)
  }

  @Test func aControllerSwitchedOffByParameterSaysWhichOne() {
    let host = FakeHost.debian12()
    host.write("sys/fs/cgroup/cgroup.controllers", "cpu io pids\n")
    host.write("proc/cmdline", "root=/dev/vda cgroup_disable=memory,hugetlb quiet\n")
    #expect(findings(host).first?.fix.contains("Take cgroup_disable=memory,hugetlb off") == true)
  }

  @Test func cpusetIsNotTakenForCpu() {
    let host = FakeHost.debian12()
    host.write("sys/fs/cgroup/cgroup.controllers", "cpuset io memory pids\n")
    #expect(findings(host).map(\.id) == ["cgroup-cpu"])
  }

  @Test func memoryThatIsNotHandedDownIsAdvice() {
    let host = FakeHost.debian12()
    host.write("sys/fs/cgroup/cgroup.subtree_control", "pids\n")
    #expect(findings(host).map(\.severity) == [.advice])
  }

  @Test func polkitMissing() {
    let host = FakeHost.debian12()
    host.remove("usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service")
    let found = findings(host)
    #expect(found.map(\.id) == ["polkit"])
    #expect(found.first?.severity == .fatal)
    #expect(found.first?.fix.contains("apt install polkitd") == true)
  }

  @Test func anotherInitIsNamed() {
    let host = FakeHost.debian12()
    host.write("proc/1/comm", "tini\n")
    #expect(findings(host).first?.what == "systemd is not running as PID 1 (tini is).")
  }

  @Test(arguments: [("247.3-7+deb11u5", true), ("252.39-1~deb12u2", false), ("v257", false)])
  func systemdThatIsTooOld(version: String, old: Bool) {
    #expect(findings(FakeHost.debian12(), systemd: version).contains { $0.id == "systemd-version" } == old)
  }

  @Test func namesOfUidsAreAdvice() {
    let host = FakeHost.debian12()
    host.write("etc/nsswitch.conf", "passwd: files # systemd\n")
    let found = findings(host)
    #expect(found.map(\.id) == ["nss-systemd"])
    #expect(found.first?.severity == .advice)
  }

  @Test func fatalFindingsComeFirst() {
    let host = FakeHost.debian12()
    host.remove("usr/sbin/nft")
    host.write("sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n")
    host.remove("run/dbus/system_bus_socket")
    #expect(findings(host).map(\.id) == ["dbus", "nftables", "cgroup-io"])
  }

  @Test func everySentenceEndsAndSaysWhatToDo() {
    for finding in findings(FakeHost()) {
      #expect(finding.what.hasSuffix(".") && finding.fix.hasSuffix("."))
      #expect(!finding.description.contains("\n"))
    }
  }

  @Test func aKernelWithoutBPFKeepsNoPodFromOthersPorts() {
    let host = FakeHost.debian12()
    host.remove("proc/sys/kernel/unprivileged_bpf_disabled")
    let found = findings(host)
    #expect(found.map(\.id) == ["bpf"] && found.first?.severity == .fatal)
  }

  @Test func aProgramAtAPodsPortIsNamed() {
    let host = FakeHost.debian12()
    let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid ...\n"
    func line(_ address: String, _ state: String, uid: Int) -> String {
      "   0: \(address) 00000000:0000 \(state) 00000000:00000000 00:00000000 00000000 \(uid) 0 4711 1 0 100 0\n"
    }
    // podd for a pod, a pod, a connection, another port.
    let harmless =
      line("01004D7F:2711", "0A", uid: 0)
      + line("00000000:2712", "0A", uid: 1_900_000_002)
      + line("0100007F:2713", "01", uid: 1000) + line("00000000:1F90", "0A", uid: 1000)
    host.write("proc/net/tcp", head + harmless)
    #expect(findings(host) == [])
    host.write("proc/net/tcp", head + harmless + line("00000000:2742", "0A", uid: 110))
    let found = findings(host)
    #expect(found.map(\.id) == ["ports"] && found.first?.severity == .advice)
    #expect(found.first?.what.contains("port 10050") == true)
    // Another range of ports is not concerned.
    host.write("etc/podctl/podd.conf", "[Podd]\nPortRange=11000-12000\n")
    #expect(findings(host) == [])
  }

  @Test func portsThatTheKernelGivesAwayAreNotForPods() {
    let host = FakeHost.debian12()
    host.write("proc/sys/net/ipv4/ip_local_port_range", "15000\t60999\n")
    let found = findings(host)
    #expect(found.map(\.id) == ["ports"])
    #expect(found.first?.fix.contains("ip_local_reserved_ports=10001-19999") == true)
    host.write("proc/sys/net/ipv4/ip_local_reserved_ports", "8080,14000-17000,17001-19999\n")
    #expect(findings(host) == [])
  }
}
