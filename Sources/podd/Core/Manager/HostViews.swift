import Cgroup
import Glibc
import PodAPI
import PodModel
import PodStore
import Systemd
import Time

/// The replies about pods, users, tiers and the host.
@LoopActor
struct HostViews {
  let host: PodHost

  /// A pod's memory.stat is read at most this often, however many clients ask.
  private var sampleAge: Microseconds { host.settings.memorySampleInterval }

  // MARK: Lists

  func podRows() -> [PodRow] {
    var limits: [String: UInt64?] = [:]
    return host.pods.values.sorted { $0.name < $1.name }.map { pod in
      let limit: UInt64?
      if let known = limits[pod.record.tier] {
        limit = known
      } else {
        limit = host.configuration.policy(ofTier: pod.record.tier)?.memoryMax
        limits[pod.record.tier] = limit
      }
      return row(pod, memoryMax: limit)
    }
  }

  private func row(_ pod: Pod, memoryMax: UInt64?) -> PodRow {
    let record = pod.record
    var row = PodRow(
      pod: pod.name.description, tier: record.tier, state: pod.state.rawValue, address: record.address,
      frontAddress: record.frontAddress, port: UInt16(clamping: record.port))
    row.unit = pod.scope?.unit.description
    row.mainPID = pod.scope.map { UInt32(clamping: $0.pid) }
    row.users = UInt32(clamping: record.users)
    row.generation = UInt64(max(0, pod.machine.lastGeneration))
    row.restarts = pod.lifecycle.restarts
    let memory = pod.memory(maxAge: sampleAge)
    row.memoryCurrent = memory?.current
    row.memoryAnon = memory?.anon
    row.memoryMax = memoryMax
    row.lastExitReason = pod.lifecycle.lastEnd?.description
    row.since = pod.since
    return row
  }

  /// Sizes are counted for 200 ms; the remaining users have the size of an earlier count, or none.
  func userRows() async throws(Refusal) -> [UserRow] {
    let users = try await host.ask { store throws(StoreError) in try store.users(limit: .max) }
    let sizes = await sizes(of: users)
    return users.map { row($0, size: sizes[$0.name]) }
  }

  private func sizes(of users: [UserRecord]) async -> [UserName: UInt64] {
    let placed = users.compactMap { user in directory(of: user).map { (user: user.name, path: $0) } }
    let sizes = await host.userFiles.sizes(of: placed.map(\.path), within: .milliseconds(200))
    var found: [UserName: UInt64] = [:]
    for (user, size) in zip(placed, sizes) { found[user.user] = size }
    return found
  }

  /// Nil for a user who is not placed.
  private func directory(of user: UserRecord) -> String? {
    user.pod.flatMap { host.pods[$0] }.map { host.userFiles.directory(of: user.name, in: $0.record) }
  }

  /// What a front door has to know of a user who is placed. Nothing is launched, and a count of data is not waited for.
  func resolved(_ name: UserName) async throws(Refusal) -> ResolvedUser {
    let user = try await host.ask { store throws(StoreError) in try store.user(name) }
    guard let pod = user.pod.flatMap({ host.pods[$0] }) else { throw Refusal(StoreError.noSuchUser(name)) }
    let tier = host.configuration.policy(ofTier: user.tier)
    // What the files reserve now counts, whatever the running program was launched with.
    let workload = pod.nextWorkload ?? pod.workload
    let size = await host.userFiles.sizes(
      of: [host.userFiles.directory(of: name, in: pod.record)], within: .milliseconds(20))
    var resolved = ResolvedUser(
      user: name.text, status: user.status.rawValue, pod: pod.name.description, state: pod.state.rawValue,
      address: pod.record.address, frontAddress: pod.record.frontAddress,
      port: UInt16(clamping: pod.record.port), token: user.status == .active ? user.token : nil,
      tier: user.tier, dataBytes: size.first ?? nil, dataMax: tier?.dataMax)
    if let rate = tier?.requestRate {
      resolved.requestCount = UInt32(clamping: rate.count)
      resolved.requestInterval = rate.interval
      resolved.requestBurst = UInt32(clamping: tier?.requestBurst ?? 0)
    }
    resolved.connectionsMax = UInt32(clamping: tier?.connectionsMax ?? 0)
    resolved.reservedPaths = workload?.reservedPaths ?? []
    return resolved
  }

  private func row(_ user: UserRecord, size: UInt64?) -> UserRow {
    var row = UserRow(
      user: user.name.text, tier: user.tier, pod: user.pod?.description,
      state: user.pod.flatMap { host.pods[$0]?.state.rawValue }, dataBytes: size,
      status: user.status.rawValue)
    row.lastUsed = user.lastUsedAt
    return row
  }

  /// The tiers in force. One whose mistake was reported at a reload, and which has no earlier settings, is listed with what
  /// is known. A file that was broken since then is an error: the tier must not look as if nothing were wrong.
  func tierRows() async throws(Refusal) -> [TierRow] {
    let counts = try await host.ask { store throws(StoreError) in try store.counts() }
    var rows: [TierRow] = []
    for name in host.configuration.tierNames() {
      let count = counts.tiers[name]
      do throws(Configuration.Failure) {
        let source = try host.configuration.tier(name)
        let tier = source.tier
        var row = TierRow(
          tier: name, usersPerPod: UInt32(clamping: tier.usersPerPod), workload: tier.workload,
          pods: UInt32(clamping: count?.pods ?? 0), users: UInt32(clamping: count?.users ?? 0))
        row.dataMax = tier.dataMax
        row.memoryMax = tier.memoryMax
        row.memoryHigh = tier.memoryHigh
        row.cpuQuotaPerSec = tier.cpuQuotaPerSec
        row.tasksMax = tier.tasksMax
        row.source = source.file
        rows.append(row)
      } catch {
        // The administrator has masked the tier.
        if case .noSuchTier = error { continue }
        guard host.configuration.isReported(tier: name) else { throw Refusal(error) }
        rows.append(
          TierRow(
            tier: name, usersPerPod: 0, workload: "", pods: UInt32(clamping: count?.pods ?? 0),
            users: UInt32(clamping: count?.users ?? 0)))
      }
    }
    return rows.sorted { (rank($0.tier), $0.tier) < (rank($1.tier), $1.tier) }
  }

  private func rank(_ tier: String) -> Int { host.configuration.policy(ofTier: tier)?.rank ?? 0 }

  // MARK: One thing in full

  func properties(of pod: Pod) async throws(Refusal) -> Properties {
    let tier = host.configuration.policy(ofTier: pod.record.tier)
    let name = pod.name
    let (users, generations) = try await host.ask { store throws(StoreError) in
      (try store.users(ofPod: name), try store.generations(ofPod: name, limit: 5))
    }
    var entries = row(pod, memoryMax: tier?.memoryMax).properties
    let outlook = pod.outlook
    let next = outlook.next
    let liveness = pod.current?.liveness
    let workload = pod.workload
    let scope = pod.scope
    func number(_ file: String) -> UInt64 {
      scope?.number(file) ?? PodBus.noSize
    }
    entries += [
      ("Workload", .string(workload?.name ?? tier?.workload ?? "")),
      ("StateReason", .string(outlook.reason)),
      ("Wanted", .string(pod.lifecycle.wanted.rawValue)),
      ("UID", .uint(UInt64(pod.record.uid))),
      ("ControlGroup", .string(scope?.cgroupPath ?? "")),
      ("DataDirectory", .string(UserFiles.directory(of: name))),
      ("MemoryHigh", .uint(tier?.memoryHigh ?? PodBus.noSize)),
      ("MemoryPeak", .uint(number(InterfaceFile.memoryPeak))),
      ("TasksCurrent", .uint(number(InterfaceFile.pidsCurrent))),
      ("TasksMax", .uint(tier?.tasksMax ?? PodBus.noSize)),
      ("CPUUsageNSec", .uint(scope?.cpuUsage.map { $0.count * 1000 } ?? PodBus.noSize)),
      ("CPUQuotaPerSecUSec", .span(tier?.cpuQuotaPerSec)),
      ("CreatedTimestamp", .time(pod.record.createdAt)),
      ("UserNames", .array(users.map { .string($0.name.text) })),
      (
        "UserErrors",
        .array(
          pod.userTroubles.sorted { $0.key.text < $1.key.text }.map { .string("\($0.key): \($0.value)") })
      ),
      ("Generations", .array(generations.map { .dictionary(history($0)) })),
      ("Transitions", .array(pod.transitions.map { .dictionary(properties(of: $0)) })),
      ("ShortageAct", .string(pod.givenUp?.sentence ?? "")),
      ("ShortageActTimestamp", .time(pod.givenUp?.at)),
      ("NextEvent", .string(next.sentence)),
      ("NextEventTimestamp", .time(next.at)),
      ("ProbeFailures", .uint(UInt64(liveness?.health.failures ?? 0))),
      ("ProbeFailuresMax", .uint(UInt64(workload?.probeFailures ?? 0))),
      ("LastProbeError", .string(liveness?.health.lastError ?? "")),
      ("LastProbeTimestamp", .time(liveness?.askedAt)),
      ("Connections", .uint(pod.connections.map { UInt64($0) } ?? PodBus.noSize)),
      ("Requests", .uint(pod.requests.total)),
      ("Overlap", .bool(workload?.overlap ?? false)),
      ("Listen", .string(workload?.listen.rawValue ?? "")),
      ("Workers", .uint(UInt64(scope == nil ? 0 : 1 + (pod.current?.workers?.count ?? 0)))),
    ]
    if let text = scope?.read(InterfaceFile.memoryPressure), let line = text.split(separator: "\n").first {
      entries.append(("MemoryPressure", .string(String(line))))
    }
    entries += leakProperties(of: pod)
    return Properties(entries)
  }

  private func properties(of transition: Transition) -> [(key: String, value: Variant)] {
    [
      ("Timestamp", .time(transition.at)), ("From", .string(transition.move.from.name)),
      ("To", .string(transition.move.to.name)),
      ("Event", .string(transition.move.event.name)),
      ("Reason", .string(transition.move.event.reason?.description ?? "")),
    ]
  }

  private func history(_ record: GenerationRecord) -> [(key: String, value: Variant)] {
    [
      ("Unit", .string(record.unit.description)),
      ("StartTimestamp", .time(record.startedAt)),
      ("ReadyTimestamp", .time(record.readyAt)),
      ("EndTimestamp", .time(record.endedAt)),
      ("Reason", .string(record.reason?.description ?? "")),
      ("Evidence", .string(record.evidence ?? "")),
    ]
  }

  func properties(ofUser name: UserName) async throws(Refusal) -> Properties {
    let user = try await host.ask { store throws(StoreError) in try store.user(name) }
    let pod = user.pod.flatMap { host.pods[$0] }
    let tier = host.configuration.policy(ofTier: user.tier)
    return Properties(
      row(user, size: await sizes(of: [user])[user.name]).properties + [
        ("Address", .string(pod?.record.address ?? "")),
        ("FrontAddress", .string(pod?.record.frontAddress ?? "")),
        ("Port", .uint(UInt64(pod?.record.port ?? 0))),
        ("Unit", .string(pod?.scope?.unit.description ?? "")),
        ("DataMax", .uint(tier?.dataMax ?? PodBus.noSize)),
        ("DataDirectory", .string(directory(of: user) ?? "")),
        ("DataError", .string(pod?.userTroubles[name] ?? (user.isArriving ? Self.arriving : ""))),
        ("Epoch", .uint(UInt64(max(0, user.epoch)))),
        ("CreatedTimestamp", .time(user.createdAt)),
      ])
  }

  private static let arriving = "the data is still being brought to the pod"

  func status(startedAt: WallTime) async throws(Refusal) -> Properties {
    let counts = try await host.ask { store throws(StoreError) in try store.counts() }
    return Properties([
      ("Version", .string(Release.version)),
      ("StartTimestamp", .time(startedAt)),
      ("NPods", .uint(UInt64(counts.pods))),
      ("NUsers", .uint(UInt64(counts.users))),
      ("FirewallLoaded", .bool(await Firewall.isLoaded())),
      ("SettingsMistakes", .array(host.configuration.mistakes.map { .dictionary($0.properties) })),
      ("HostFaults", .array(hostFaults().map { .dictionary($0.properties) })),
      ("AccountClashes", .array(await accountClashes().map { .dictionary($0) })),
    ])
  }

  /// Pods whose user id belongs to an account of the host by now.
  private func accountClashes() async -> [[(key: String, value: Variant)]] {
    let pods = host.pods.values.map { (id: $0.record.uid, pod: $0.name) }.sorted { $0.pod < $1.pod }
    let owners = await Accounts.owners(of: pods)
    return pods.compactMap { id, pod in
      owners[pod].map {
        [("Pod", .string(pod.description)), ("UID", .uint(UInt64(id))), ("Account", .string($0))]
      }
    }
  }

  /// What the pods lack that wait because the host could not launch them; the pods themselves are the only record of it.
  func hostFaults() -> [HostFaultRow] {
    var waiting: [HostFault: [PodName]] = [:]
    for pod in host.pods.values where pod.state == .backoff || pod.state == .starting {
      guard let fault = HostFault(pod.lifecycle.lastEnd) else { continue }
      waiting[fault, default: []].append(pod.name)
    }
    return waiting.map { HostFaultRow($0.key, pods: $0.value.sorted()) }.sorted { $0.reason < $1.reason }
  }
}
