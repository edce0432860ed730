import Cgroup
import Glibc
import PodModel
import PodStore
import Systemd
import Time

/// Measures the memory of the host, of pods.slice and of each pod for the shortage rules.
@LoopActor
final class ShortageLooks {
  private struct Stall {
    var at: LoopTime
    var total: Microseconds
  }

  private unowned let host: PodHost
  private var stalls: [ShortageGuard.Place: Stall] = [:]
  /// The page cache of each pod, remembered because memory.stat costs the kernel a walk over all CPUs.
  private var files: [UnitName: (at: LoopTime, bytes: UInt64)] = [:]
  private static let fileAge: Microseconds = .seconds(10)
  /// How old the ended connections may be while memory is short.
  private static let endedAge: Microseconds = .seconds(5)

  init(host: PodHost) { self.host = host }

  // MARK: Levels

  /// Nil when the kernel does not report it.
  func ofHost() -> Shortage.Level? {
    guard let meminfo = readSmallFile("/proc/meminfo"), let total = Self.kilobytes("MemTotal:", meminfo),
      let available = Self.kilobytes("MemAvailable:", meminfo)
    else { return nil }
    let pressure = readSmallFile("/proc/pressure/memory") ?? ""
    return Shortage.Level(stall: stall(of: .host, pressure), available: available, total: total)
  }

  /// Nil where all pods together have no limit of their own.
  func ofPods() -> Shortage.Level? {
    guard let cgroup = try? Cgroup(path: ControlGroup.pods.path) else { return nil }
    let limits = [InterfaceFile.memoryMax, InterfaceFile.memoryHigh].compactMap { name -> UInt64? in
      (try? cgroup.read(name)).flatMap { try? CgroupFiles.limit($0) } ?? nil
    }
    guard let limit = limits.min(),
      let current = (try? cgroup.read(InterfaceFile.memoryCurrent)).flatMap({ try? CgroupFiles.number($0) })
    else { return nil }
    let file = (try? cgroup.read(InterfaceFile.memoryStat)).map(Self.cache) ?? 0
    let used = current - min(current, file)
    return Shortage.Level(
      stall: stall(of: .pods, (try? cgroup.read(InterfaceFile.memoryPressure)) ?? ""),
      available: limit - min(limit, used),
      total: limit)
  }

  /// The share of the time since the last measurement, or 0 at the first one.
  private func stall(of place: ShortageGuard.Place, _ text: String) -> Double {
    guard let pressure = try? CgroupFiles.pressure(text) else { return 0 }
    let now = EventLoop.main.now()
    let total = pressure.some.total
    defer { stalls[place] = Stall(at: now, total: total) }
    guard let last = stalls[place], last.at < now, last.total <= total else { return 0 }
    return min(1, (total - last.total).share(of: now - last.at))
  }

  private static func kilobytes(_ key: String, _ meminfo: String) -> UInt64? {
    for line in meminfo.split(separator: "\n") where line.hasPrefix(key) {
      return line.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }.map { $0 << 10 }
    }
    return nil
  }

  private static func cache(_ stat: String) -> UInt64 {
    let lists = ["active_file", "inactive_file"].compactMap { CgroupFiles.value(of: $0, in: stat) }
    return lists.reduce(0, +)
  }

  // MARK: Pods

  /// The pods that serve or are frozen, with what the rules need to know about each.
  func candidates() -> [Shortage.Candidate] {
    let now = EventLoop.main.now()
    // Where connections cannot be counted, no pod is known to be idle.
    guard let connections = try? Connections.ofAllPods() else { return [] }
    let swapFree = readSmallFile("/proc/meminfo").flatMap { Self.kilobytes("SwapFree:", $0) } ?? 0
    files = files.filter { $0.value.at + Self.fileAge > now }
    guard host.endedConnections.note(maxAge: Self.endedAge) else { return [] }
    return host.pods.values.compactMap { pod -> Shortage.Candidate? in
      guard pod.state == .ready || pod.state == .frozen, pod.other == nil, let scope = pod.scope,
        pod.state == .frozen || pod.canBeWoken, let tier = pod.current?.tier,
        let current = scope.number(InterfaceFile.memoryCurrent)
      else { return nil }
      pod.noteActivity(
        cpu: scope.cpuUsage, connections: connections[UInt16(clamping: pod.record.port)] ?? [])
      var candidate = Shortage.Candidate(pod: pod.name, rank: tier.rank)
      candidate.isFrozen = pod.state == .frozen
      candidate.current = current
      candidate.file = file(of: scope, now)
      candidate.memoryLow = max(tier.memoryLow, tier.memoryMin)
      candidate.swapLeft = min(swapFree, Self.swapLeft(scope, tier))
      candidate.idleSince = pod.idleSince
      return candidate
    }
  }

  private func file(of scope: RunningScope, _ now: LoopTime) -> UInt64 {
    if let known = files[scope.unit] { return known.bytes }
    let bytes = scope.read(InterfaceFile.memoryStat).map(Self.cache) ?? 0
    files[scope.unit] = (now, bytes)
    return bytes
  }

  /// Invalidates the cached page-cache figure after a reclaim.
  func forget(_ unit: UnitName) { files[unit] = nil }

  private static func swapLeft(_ scope: RunningScope, _ tier: Tier) -> UInt64 {
    guard let text = scope.read(InterfaceFile.memorySwapMax), let limit = try? CgroupFiles.limit(text) else {
      // The kernel has no swap accounting, or the limit is `max`; the tier tells which.
      return tier.memorySwapMax == nil && scope.read(InterfaceFile.memorySwapMax) != nil ? .max : 0
    }
    return limit - min(limit, scope.number(InterfaceFile.memorySwapCurrent) ?? limit)
  }
}
