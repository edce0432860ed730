import CLinux
import Glibc
import PodModel
import Systemd

/// The nftables rules that keep pods from opening connections. podctl-firewall.service loads them; podd sees
/// to it that they stand, and fills in what workloads open with `IPAddressAllow=`, and which pods are held.
@LoopActor
final class Firewall {
  private static let nft = "/usr/sbin/nft"
  private static let unit = "podctl-firewall.service"
  private static let script = "/run/podctl/firewall.nft"
  /// An hour: whoever waits longer has given up (tcp_syn_retries).
  private static let longestHoldUSec: UInt64 = 3_600_000_000

  /// Asks nft for the table. False also when nft is missing.
  static func isLoaded() async -> Bool {
    await run(["list", "table", "inet", PacketFilter.table])
  }

  private static func run(_ arguments: [String]) async -> Bool {
    let status = await Command.run(nft, ["nft"] + arguments, timeoutUSec: 10_000_000)
    return status == 0
  }

  private unowned let host: PodHost
  private var opened: [PodName: (uid: UInt32, words: [String])] = [:]
  private var held: [PodName: PacketFilter.Hold] = [:]
  /// Pods that sleep, and are woken by who connects.
  private var asleep: [PodName: PacketFilter.Hold] = [:]
  private let heldConnections = HeldConnections()
  private var events: FirewallEvents?
  private var isMending = false
  /// One transaction serves all who ask while another is under way.
  private lazy var filling = Coalesced { [unowned self] in
    // What is on its way to ask too: a set is replaced as a whole, and nobody in it may be let go in between.
    await EventLoop.main.sleep(1)
    return await self.write()
  }

  init(host: PodHost) {
    self.host = host
  }

  /// Once, after running pods were taken over: from here on the rules are watched.
  func start() async {
    do throws(Errno) {
      events = try FirewallEvents { [weak self] event in
        switch event {
        case .appeared: self?.refill()
        case .vanished: self?.mend()
        }
      }
    } catch {
      Log.warning("Cannot watch the packet filter, so rules that are flushed stay away: \(error)")
    }
    if !(await filling.run()) { mend() }
  }

  // MARK: What workloads open

  /// Of a pod that was taken over; ``start()`` puts it into force.
  func note(_ pod: PodName, uid: UInt32, words: [String]) {
    opened[pod] = words.isEmpty ? nil : (uid, words)
  }

  /// Before a pod is launched. Returns when the kernel has it.
  func open(_ pod: PodName, uid: UInt32, words: [String]) async throws(LaunchFailure) {
    guard !words.isEmpty else { return close(pod) }
    opened[pod] = (uid, words)
    if await filling.run() { return }
    mend()
    throw LaunchFailure(stage: "firewall", error: "EAGAIN")
  }

  /// After its end.
  func close(_ pod: PodName) {
    if opened.removeValue(forKey: pod) != nil { refill() }
  }

  // MARK: Who waits for a successor

  /// From here on who connects to the pod waits in ``HeldConnections``. Open connections go on. Returns when the
  /// kernel has it; false when it has not, and then nothing is held. Ends at ``release(_:)``, or by itself
  /// after `timeoutUSec` (at most an hour), whatever becomes of podd.
  func hold(_ pod: PodName, address: String, port: Int, timeoutUSec: UInt64) async -> Bool {
    let timeout = min(timeoutUSec, Self.longestHoldUSec)
    held[pod] = PacketFilter.Hold(
      address: address, port: port, deadlineUSec: EventLoop.main.now() + timeout)
    heldConnections.hold(address: address, port: port, timeoutUSec: timeout)
    if await filling.run() { return true }
    held[pod] = nil
    if asleep[pod] == nil { heldConnections.release(address: address, port: port) }
    mend()
    return false
  }

  /// Who waits goes on before this returns; then the kernel has it. One that is not held is released already.
  func release(_ pod: PodName) async {
    guard let hold = held.removeValue(forKey: pod), asleep[pod] == nil else { return }
    heldConnections.release(address: hold.address, port: hold.port)
    if !(await filling.run()) { mend() }
  }

  /// From here on who connects to the pod waits, until ``endSleep(_:)``, also over a restart of podd; `knock` is
  /// called for each who comes, and for those who wait already. Returns when the kernel has it; false when nobody
  /// would see them come, and then they are refused.
  func sleep(_ pod: PodName, address: String, port: Int, knock: @escaping @LoopActor () -> Void) async -> Bool
  {
    guard heldConnections.sleep(address: address, port: port, knock: knock) else { return false }
    if asleep.updateValue(PacketFilter.Hold(address: address, port: port, deadlineUSec: nil), forKey: pod)
      != nil
    {
      return true
    }
    if await filling.run() { return true }
    mend()
    return true
  }

  /// Who waits goes on: to the program, if it is there by now.
  func endSleep(_ pod: PodName) {
    guard let hold = asleep.removeValue(forKey: pod) else { return }
    if held[pod] == nil { heldConnections.release(address: hold.address, port: hold.port) }
    refill()
  }

  // MARK: Filling the sets

  private func refill() {
    loopTask { _ = await self.filling.run() }
  }

  private func write() async -> Bool {
    do {
      let text =
        try PacketFilter.exceptions(opened.sorted { $0.key < $1.key }.map(\.value))
        + PacketFilter.holds(
          held.merging(asleep) { $1 }.sorted { $0.key < $1.key }.map(\.value),
          nowUSec: EventLoop.main.now())
      try Files.replace(Self.script, with: text, mode: 0o600)
    } catch {
      Log.error("Cannot write \(Self.script), so the packet filter keeps what it has: \(error)")
      return false
    }
    return await Self.run(["-f", Self.script])
  }

  // MARK: When the rules go

  /// Has them loaded again, for as long as it takes. Another firewall's flush takes them away in one go;
  /// until they are back, each scope's own IPAddressDeny= stands.
  private func mend() {
    guard !isMending else { return }
    isMending = true
    loopTask {
      var pauses = DoublingPause(first: 100_000, longest: 60_000_000)
      var hasTold = false
      while !(await Self.isLoaded()) {
        if !hasTold {
          self.host.report(.firewallLost())
          hasTold = true
        }
        await self.host.busConnected()
        do throws(BusError) {
          _ = try await self.host.systemd.reloadOrRestartUnit(Self.unit)
        } catch {
          // Stopped or started by somebody else at this moment: PID 1 has a job for it already.
          Log.debug("\(Self.unit): \(error.message)")
        }
        if await Self.isLoaded() { break }
        await EventLoop.main.sleep(pauses.next())
      }
      self.isMending = false
      if hasTold { Log.notice("The packet filter rules for pods are loaded again.") }
      _ = await self.filling.run()
    }
  }
}
