import Cgroup
import Glibc
import Linux
import PodModel
import PodStore
import Systemd
import Time

/// docs/design.md's invariants on the live host: what the database, podd, systemd's cgroups and the kernel's processes
/// say of each other.
@LoopActor
struct InvariantCheck {
  let host: PodHost

  /// Between the two readings.
  private static let pause: Microseconds = .milliseconds(300)

  /// One sentence a violation. A change that is under way looks like a violation for a moment: only what two
  /// readings show counts.
  func violations() async throws(Refusal) -> [String] {
    let first = try await read()
    guard !first.isEmpty else { return [] }
    await EventLoop.main.sleep(Self.pause)
    let second = Set(try await read())
    return first.filter(second.contains)
  }

  private func read() async throws(Refusal) -> [String] {
    let limits = usersPerPod
    let found = try await host.ask { store throws(StoreError) in
      (broken: try store.verifyInvariants(usersPerPod: limits), open: try store.openGenerations())
    }
    var broken = found.broken
    // What an earlier podd left behind is on its way out.
    let strayScopes = host.strayScopes.units
    let alive = Set(LiveScopes.populated().keys).subtracting(strayScopes)
    broken += ofRows(Set(found.open.map(\.unit)).subtracting(strayScopes), alive)
    for pod in host.pods.values.sorted(by: { $0.name < $1.name }) { broken += ofPod(pod, alive) }
    return broken + ofProcesses() + ofDirectories()
  }

  private var usersPerPod: [String: Int] {
    var limits: [String: Int] = [:]
    for name in host.configuration.tierNames() {
      limits[name] = host.configuration.policy(ofTier: name)?.usersPerPod
    }
    return limits
  }

  // MARK: Each

  private func ofRows(_ rows: Set<UnitName>, _ alive: Set<UnitName>) -> [String] {
    let known = Set(host.pods.values.flatMap(\.machine.openUnits))
    var broken: [String] = []
    for unit in alive.subtracting(rows).sorted() {
      broken.append("\(unit) runs and is not on record")
    }
    for unit in rows.subtracting(known).sorted() {
      broken.append("\(unit) is open on record and podd does not know it")
    }
    for unit in known.subtracting(rows).sorted() {
      broken.append("podd has \(unit) in hand, and it is not open on record")
    }
    return broken
  }

  private func ofPod(_ pod: Pod, _ alive: Set<UnitName>) -> [String] {
    var broken: [String] = []
    let live = alive.filter { $0.pod == pod.name }
    let mayOverlap =
      pod.current == nil || [pod.current, pod.other].allSatisfy { $0?.workload?.handover == .overlap }
    if live.count > (pod.other == nil || !mayOverlap ? 1 : 2) {
      let names = live.map(\.description).sorted().joined(separator: ", ")
      broken.append("\(pod.name) has \(live.count) live generations: \(names)")
    }
    for unit in live where !pod.machine.openUnits.contains(unit) {
      broken.append("\(unit) lives, and \(pod.name) is \(pod.state.rawValue)")
    }
    switch pod.state {
    case .ready, .frozen:
      guard let generation = pod.current, let scope = generation.scope else {
        broken.append("\(pod.name) is \(pod.state.rawValue) without a generation")
        break
      }
      if !live.contains(scope.unit) {
        broken.append("\(pod.name) is \(pod.state.rawValue), and \(scope.unit) has no process")
      }
      if !scope.adopted, let tier = generation.tier {
        broken += scope.limitMismatches(tier).map { "\(scope.unit): \($0), not what its tier says" }
      }
      if BindGuard.covers(scope) == false {
        broken.append("\(scope.unit) may bind ports that are not its own")
      }
      if generation.workload?.listen == .socket, !host.sockets.holds(pod.name) {
        broken.append("podd does not hold the listening socket of \(pod.name)")
      }
    case .cold, .stopped:
      if pod.lifecycle.wanted == .run {
        broken.append("\(pod.name) is \(pod.state.rawValue), and is wanted to run")
      }
      if pod.wakeOnConnect.watchesSocket, !host.sockets.holds(pod.name) {
        broken.append("\(pod.name) is to be woken on demand, and podd does not hold its listening socket")
      }
    default: break
    }
    return broken
  }

  /// Every process of a pod's uid lives in a scope of that pod.
  private func ofProcesses() -> [String] {
    var broken: [String] = []
    for name in (try? Files.names(in: "/proc")) ?? [] {
      guard let pid = pid_t(name), let uid = ProcessIdentity.owner(of: pid), let pod = host.pod(uid: uid),
        let path = ProcessIdentity.cgroup(of: pid)
      else { continue }
      // What has ended and waits for its parent is no process any more; its memory and its files are gone.
      guard ControlGroup.unit(atPath: path)?.pod != pod.name, !ProcessIdentity.isZombie(pid) else { continue }
      broken.append("process \(pid) of \(pod.name) runs in \(path), outside its scope")
    }
    return broken
  }

  /// A pod's number is not given out again while a directory of that name has something in it.
  private func ofDirectories() -> [String] {
    let names = (try? Files.names(in: host.userFiles.places.pods)) ?? []
    return names.compactMap { PodName($0) }.filter { host.pods[$0] == nil }.sorted().map {
      "\(host.userFiles.places.directory(of: $0)) belongs to no pod: look what it is, and move it away"
    }
  }
}
