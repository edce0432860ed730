import OpenMetrics
import PodAPI
import PodModel
import Testing
import Time
import TimeLiterals

extension HostMetrics {
  /// With a value in every place.
  static var example: HostMetrics {
    var launches = MetricHistogram(bounds: [0.5, 1])
    launches.observe(0.75)
    var tier = Tier(name: "free", launches: launches)
    tier.usersPerPod = 20
    tier.users = ["active": 3, "suspended": 1, "deleted": 2]
    tier.data = Data(bytes: 4096, nearlyFull: 1)
    tier.ends = ["leak": 2, "exited": 0]
    var metrics = HostMetrics(version: "0.2", startedAt: .epoch + .seconds(1_800_000_000))
    metrics.memory = 16 << 20
    metrics.cpu = .milliseconds(1500)
    metrics.tiers = [tier]
    metrics.wakes = ["cold": launches, "frozen": MetricHistogram(bounds: [0.5, 1])]
    metrics.leaking = ["pod-001"]
    metrics.waitingForHost = 1
    metrics.settingsMistakes = 2
    metrics.diskSize = 1 << 40
    metrics.diskAvailable = 1 << 39
    return metrics
  }
}

@Suite struct MetricsTests {
  /// A running pod and one in a crash loop.
  static var pods: [UsageRow] {
    var running = UsageRow(pod: "pod-001", tier: "free", state: "ready")
    running.memoryCurrent = 60 << 20
    running.memoryMax = 96 << 20
    running.pressure = 1250
    running.cpuUsage = .seconds(3)
    running.users = 4
    var failing = UsageRow(pod: "pod-002", tier: "free", state: "crash-loop")
    failing.restarts = 5
    failing.memoryMax = 96 << 20
    return [running, failing]
  }

  static var families: [MetricFamily] { PodctlMetrics.all(MetricsReply(.example, pods)) }

  private func lines(_ families: [MetricFamily]) -> [Substring] {
    String(decoding: MetricsText.text(families), as: UTF8.self).split(separator: "\n")
  }

  @Test func `names follow OpenMetrics`() {
    let families = Self.families
    #expect(Set(families.map(\.name)).count == families.count)
    for family in families {
      #expect(family.name.hasPrefix("podctl_") && !family.name.hasSuffix("_total"), "\(family.name)")
      #expect(family.name.utf8.allSatisfy { (97...122).contains($0) || $0 == 95 }, "\(family.name)")
      if let unit = family.unit { #expect(family.name.hasSuffix("_\(unit)")) }
      for unit in ["bytes", "seconds", "ratio"] {
        #expect(family.name.hasSuffix("_\(unit)") == (family.unit == unit), "\(family.name)")
      }
      // Neither format allows a quote in it.
      #expect(family.help.hasSuffix(".") && !family.help.contains("\""), "\(family.help)")
      #expect(!family.samples.isEmpty, "\(family.name)")
    }
  }

  @Test func `a pod has its series, and one that does not run has no memory`() {
    let of = { (pod: String) in lines(Self.families).filter { $0.contains(#"pod="\#(pod)""#) } }
    #expect(
      of("pod-001") == [
        #"podctl_pod_users{pod="pod-001",tier="free"} 4"#,
        #"podctl_pod_memory_bytes{pod="pod-001",tier="free"} 62914560"#,
        #"podctl_pod_memory_limit_bytes{pod="pod-001",tier="free"} 100663296"#,
        #"podctl_pod_memory_pressure_ratio{pod="pod-001",tier="free"} 0.125"#,
        #"podctl_pod_cpu_seconds_total{pod="pod-001",tier="free"} 3"#,
        #"podctl_pod_restarts_total{pod="pod-001",tier="free"} 0"#,
        #"podctl_pod_crash_loop{pod="pod-001",tier="free"} 0"#,
        #"podctl_pod_leaking{pod="pod-001",tier="free"} 1"#,
      ])
    #expect(
      of("pod-002") == [
        #"podctl_pod_users{pod="pod-002",tier="free"} 0"#,
        #"podctl_pod_restarts_total{pod="pod-002",tier="free"} 5"#,
        #"podctl_pod_crash_loop{pod="pod-002",tier="free"} 1"#,
        #"podctl_pod_leaking{pod="pod-002",tier="free"} 0"#,
      ])
  }

  @Test func `a tier has a series for every state, status and kind of end`() {
    let lines = lines(Self.families)
    for state in PodState.allCases {
      let count = state == .ready || state == .crashLoop ? 1 : 0
      #expect(lines.contains(#"podctl_pods{tier="free",state="\#(state.rawValue)"} \#(count)"#[...]))
    }
    for line in [
      #"podctl_users{tier="free",status="suspended"} 1"#, #"podctl_memory_bytes{tier="free"} 62914560"#,
      #"podctl_memory_limit_bytes{tier="free"} 100663296"#, #"podctl_data_bytes{tier="free"} 4096"#,
      #"podctl_users_near_data_limit{tier="free"} 1"#, #"podctl_pods_leaking{tier="free"} 1"#,
      #"podctl_pod_ends_total{tier="free",reason="leak"} 2"#,
      #"podctl_launch_seconds_bucket{tier="free",le="1.0"} 1"#,
      #"podctl_wake_seconds_count{from="frozen"} 0"#,
      "podctl_podd_start_time_seconds 1800000000", "podctl_podd_cpu_seconds_total 1.5", "podctl_up 1",
      #"podctl_build_info{version="0.2"} 1"#,
    ] {
      #expect(lines.contains(line[...]), "\(line)")
    }
  }

  @Test func `the summary is the same whatever the number of pods`() {
    let many = (1...3000).map { UsageRow(pod: "pod-\($0)", tier: "free", state: "cold") }
    let series = { (pods: [UsageRow]) in
      PodctlMetrics.summary(MetricsReply(.example, pods)).flatMap(\.samples).map {
        "\($0.suffix)\($0.labels)"
      }
    }
    #expect(series(many) == series(Self.pods))
    #expect(!lines(PodctlMetrics.summary(MetricsReply(.example, Self.pods))).contains { $0.contains("pod=") })
  }

  @Test func `a podd that does not answer has one series`() {
    #expect(lines([PodctlMetrics.up(false)]).contains("podctl_up 0"))
  }
}
