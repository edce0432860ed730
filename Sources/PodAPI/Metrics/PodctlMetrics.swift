public import OpenMetrics
internal import PodModel
internal import Time

/// What `podctl metrics` prints, and podgate serves: podd's reply as families. podctl-metrics(1) lists the names.
///
/// No user has a series, because there is no end of users. A pod has some, because a host has at most a few thousand and
/// an administrator must learn which one is in trouble; ``summary(_:)`` has none of them.
public enum PodctlMetrics {
  /// Whether podd answered: the only family when it did not.
  public static func up(_ isUp: Bool) -> MetricFamily {
    var family = MetricFamily("podctl_up", .gauge, "Whether podd answered.")
    family.add(isUp ? 1 : 0)
    return family
  }

  /// Everything.
  public static func all(_ reply: MetricsReply) -> [MetricFamily] {
    summary(reply) + eachPod(reply.host, reply.pods)
  }

  /// Everything but the series of single pods.
  public static func summary(_ reply: MetricsReply) -> [MetricFamily] {
    [up(true)] + podd(reply.host) + tiers(reply.host, reply.pods) + events(reply.host)
  }

  // MARK: podd and its host

  private static func podd(_ host: HostMetrics) -> [MetricFamily] {
    var build = MetricFamily("podctl_build_info", .gauge, "podd's version; always 1.")
    build.add(1, [("version", host.version)])
    var start = MetricFamily(
      "podctl_podd_start_time_seconds", .gauge, unit: "seconds",
      "When podd started, in seconds since the epoch.")
    start.add(host.startedAt.sinceEpoch.seconds)
    var memory = MetricFamily(
      "podctl_podd_memory_bytes", .gauge, unit: "bytes", "Resident memory of podd itself.")
    if let bytes = host.memory { memory.add(bytes) }
    var cpu = MetricFamily(
      "podctl_podd_cpu_seconds", .counter, unit: "seconds", "Processor time of podd itself.")
    if let used = host.cpu { cpu.add(used.seconds) }
    var size = MetricFamily(
      "podctl_disk_size_bytes", .gauge, unit: "bytes", "Size of the file system of /var/lib/podctl.")
    if let bytes = host.diskSize { size.add(bytes) }
    var available = MetricFamily(
      "podctl_disk_available_bytes", .gauge, unit: "bytes",
      "What is free on the file system of /var/lib/podctl.")
    if let bytes = host.diskAvailable { available.add(bytes) }
    var mistakes = MetricFamily(
      "podctl_settings_mistakes", .gauge, "Mistakes in settings files, as podctl status shows them.")
    mistakes.add(host.settingsMistakes)
    var waiting = MetricFamily(
      "podctl_pods_waiting_for_host", .gauge, "Pods that cannot be launched because the host lacks something."
    )
    waiting.add(host.waitingForHost)
    return [build, start, memory, cpu, size, available, mistakes, waiting]
  }

  // MARK: Tiers

  private static func tiers(_ host: HostMetrics, _ rows: [UsageRow]) -> [MetricFamily] {
    var pods = MetricFamily("podctl_pods", .gauge, "Pods by tier and state.")
    var users = MetricFamily("podctl_users", .gauge, "Users by tier and status.")
    var most = MetricFamily("podctl_tier_users_per_pod", .gauge, "UsersPerPod= of the tier.")
    var memory = MetricFamily(
      "podctl_memory_bytes", .gauge, unit: "bytes", "Memory of all pods of the tier that run.")
    var limit = MetricFamily(
      "podctl_memory_limit_bytes", .gauge, unit: "bytes",
      "MemoryMax= of all pods of the tier that run, added up.")
    var data = MetricFamily(
      "podctl_data_bytes", .gauge, unit: "bytes", "What the users of the tier store, by the last count.")
    var full = MetricFamily(
      "podctl_users_near_data_limit", .gauge,
      "Users who store at least 80 percent of DataMax= of the tier, by the last count.")
    var leaking = MetricFamily("podctl_pods_leaking", .gauge, "Pods of the tier whose memory leaks now.")

    let rowsOfTier = Dictionary(grouping: rows, by: \.tier)
    let leaks = Set(host.leaking)
    let states = PodState.allCases.map(\.rawValue)
    for tier in host.tiers {
      let own = rowsOfTier[tier.name] ?? []
      let inState = Dictionary(grouping: own, by: \.state).mapValues(\.count)
      // With all states, also those that no pod is in: a series that comes and goes cannot be compared.
      for state in states + inState.keys.filter({ !states.contains($0) }).sorted() {
        pods.add(inState[state] ?? 0, [("tier", tier.name), ("state", state)])
      }
      for (status, count) in tier.users.sorted(by: { $0.key < $1.key }) {
        users.add(count, [("tier", tier.name), ("status", status)])
      }
      let name = [(name: "tier", value: tier.name)]
      if tier.usersPerPod > 0 { most.add(tier.usersPerPod, name) }
      let running = own.filter { $0.memoryCurrent != nil }
      memory.add(running.reduce(0) { $0 + ($1.memoryCurrent ?? 0) }, name)
      limit.add(running.reduce(0) { $0 + ($1.memoryMax ?? 0) }, name)
      if let counted = tier.data {
        data.add(counted.bytes, name)
        full.add(counted.nearlyFull, name)
      }
      leaking.add(own.count { leaks.contains($0.pod) }, name)
    }
    return [pods, users, most, memory, limit, data, full, leaking]
  }

  private static func events(_ host: HostMetrics) -> [MetricFamily] {
    var ends = MetricFamily(
      "podctl_pod_ends", .counter, "Ends of generations since podd started, by the kind of the reason.")
    var launches = MetricFamily(
      "podctl_launch_seconds", .histogram, unit: "seconds",
      "From the decision to launch a generation until it was ready, since podd started.")
    var wakes = MetricFamily(
      "podctl_wake_seconds", .histogram, unit: "seconds",
      "From a connection to a sleeping pod until the pod was ready, since podd started, by the state in which the "
        + "pod slept.")
    for tier in host.tiers {
      for (reason, count) in tier.ends.sorted(by: { $0.key < $1.key }) {
        ends.add(count, [("tier", tier.name), ("reason", reason)])
      }
      launches.add(tier.launches, [("tier", tier.name)])
    }
    for (state, histogram) in host.wakes.sorted(by: { $0.key < $1.key }) {
      wakes.add(histogram, [("from", state)])
    }
    return [ends, launches, wakes]
  }

  // MARK: Pods

  private static func eachPod(_ host: HostMetrics, _ rows: [UsageRow]) -> [MetricFamily] {
    var users = MetricFamily("podctl_pod_users", .gauge, "Users of the pod.")
    var memory = MetricFamily(
      "podctl_pod_memory_bytes", .gauge, unit: "bytes", "Memory of the pod, if it runs.")
    var limit = MetricFamily(
      "podctl_pod_memory_limit_bytes", .gauge, unit: "bytes", "MemoryMax= of the pod, if it runs.")
    var pressure = MetricFamily(
      "podctl_pod_memory_pressure_ratio", .gauge, unit: "ratio",
      "The share of the last ten seconds in which a process of the pod waited for memory.")
    var cpu = MetricFamily(
      "podctl_pod_cpu_seconds", .counter, unit: "seconds", "Processor time of the generation that runs.")
    var restarts = MetricFamily(
      "podctl_pod_restarts", .counter, "Launches after an end that nobody wanted, since the pod was made.")
    var crashLoop = MetricFamily(
      "podctl_pod_crash_loop", .gauge, "Whether the pod's start limit was hit: podctl reset ends that.")
    var leaking = MetricFamily("podctl_pod_leaking", .gauge, "Whether the pod's memory leaks now.")
    let leaks = Set(host.leaking)
    for row in rows {
      let labels = [(name: "pod", value: row.pod), (name: "tier", value: row.tier)]
      users.add(row.users, labels)
      restarts.add(row.restarts, labels)
      crashLoop.add(row.state == PodState.crashLoop.rawValue ? 1 : 0, labels)
      leaking.add(leaks.contains(row.pod) ? 1 : 0, labels)
      guard let current = row.memoryCurrent else { continue }
      memory.add(current, labels)
      if let most = row.memoryMax { limit.add(most, labels) }
      if let share = row.pressure { pressure.add(Double(share) / 10_000, labels) }
      if let used = row.cpuUsage { cpu.add(used.seconds, labels) }
    }
    return [users, memory, limit, pressure, cpu, restarts, crashLoop, leaking]
  }
}
