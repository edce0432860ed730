import HostCheck
import Testing

@Suite struct SettingsChecksTests {
  @Test func filesWithoutMistakesPassAsOneCheck() {
    let host = FakeHost.debian12()
    host.write("usr/lib/podctl/tiers/free.conf", "[Tier]\nWorkload=app\nMemoryMax=10%\n")
    host.write("usr/lib/podctl/workloads/app.conf", "[Workload]\nExecStart=/bin/app\nType=notify\n")
    let checks = HostCheck(root: host.root).settings()
    #expect(checks.map(\.id) == ["settings"])
    #expect(checks.first?.finding == nil)
  }

  @Test func eachMistakeIsAFindingWithPlaceAndWayOut() {
    let host = FakeHost.debian12()
    host.write("proc/meminfo", "MemTotal:        1024 kB\nMemFree:  1 kB\n")
    host.write("etc/podctl/tiers/gold.conf", "[Tier]\nMemoryMaximum=1M\nUsersPerPod=0\n")
    host.write("etc/podctl/podd.conf.d/10.conf", "[Podd]\nDefaultTeir=gold\n")
    let findings = HostCheck(root: host.root).settings().compactMap(\.finding)
    #expect(
      findings.map { $0.what.prefix { $0 != "=" } } == [
        "/etc/podctl/podd.conf.d/10.conf:2: DefaultTeir", "/etc/podctl/tiers/gold.conf:2: MemoryMaximum",
        "/etc/podctl/tiers/gold.conf:3: UsersPerPod",
      ])
    #expect(findings.allSatisfy { $0.id == "settings" && $0.severity == .fatal && $0.what.hasSuffix(".") })
    #expect(findings.last?.fix == "Correct it, then: systemctl reload podd.service.")
  }

  @Test func settingsFilesDoNotKeepPoddFromStarting() {
    let host = FakeHost.debian12()
    host.write("etc/podctl/tiers/gold.conf", "[Tier]\nnonsense\n")
    #expect(HostCheck(root: host.root).findings() == [])
  }
}
