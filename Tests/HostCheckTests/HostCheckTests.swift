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
    #expect(findings(host).map(\.id) == ["dbus", "cgroup-io", "nftables"])
  }

  @Test func everySentenceEndsAndSaysWhatToDo() {
    for finding in findings(FakeHost()) {
      #expect(finding.what.hasSuffix(".") && finding.fix.hasSuffix("."))
      #expect(!finding.description.contains("\n"))
    }
  }
}
