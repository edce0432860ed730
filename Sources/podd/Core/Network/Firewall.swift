import CLinux
import Glibc
import PodModel
import Systemd
import Time

/// The nftables rules that keep pods from opening connections. podctl-firewall.service loads them. podd makes
/// sure that they stay loaded, and fills in the addresses that workloads open with `IPAddressAllow=` and the
/// pods whose new connections are held.
@LoopActor
final class Firewall {
  private static let nft = "/usr/sbin/nft"
  private static let unit = "podctl-firewall.service"
  /// podd's part of the table, as a whole: podctl-firewall.service loads it with the rules.
  private static let script = "/run/podctl/firewall.nft"
  /// What differs from what the kernel has.
  private static let change = "/run/podctl/firewall-change.nft"
  /// An hour: a client gives up earlier (tcp_syn_retries).
  private static let longestHold: Microseconds = .hours(1)

  /// False also when nft is missing.
  static func isLoaded() async -> Bool {
    await run(["list", "table", "inet", PacketFilter.table])
  }

  private static func run(_ arguments: [String]) async -> Bool {
    let status = await Command.run(nft, ["nft"] + arguments, timeout: .seconds(10))
    return status == 0
  }

  private let systemd: SystemdConnection
  private let alerts: Alerts
  private var opened: [PodName: (uid: UInt32, words: [String])] = [:]
  private var held: [PodName: PacketFilter.Hold] = [:]
  /// Sleeping pods, which connections wake.
  private var asleep: [PodName: PacketFilter.Hold] = [:]
  private let heldConnections = HeldConnections()
  private var events: FirewallEvents?
  private var isReloading = false
  /// What the kernel has of podd's part; nil when that is not known, or when the rules are gone.
  private var standing: PacketFilter.Content?
  /// Counts how often the table came or went.
  private var tables = 0
  /// The users besides root who may connect to pods; nil: all.
  private var visitors: [UInt32]?
  /// Callers that come while a transaction is under way share the next one.
  private lazy var filling = Coalesced { [unowned self] in
    // Yield once so that callers of the same turn share this transaction.
    await EventLoop.main.sleep(Microseconds(1))
    return await self.write()
  }

  init(_ systemd: SystemdConnection, _ alerts: Alerts) {
    self.systemd = systemd
    self.alerts = alerts
  }

  /// Starts to watch the rules. To be called once, after running pods were taken over.
  func start() async {
    do throws(Errno) {
      events = try FirewallEvents { [weak self] event in
        switch event {
        case .appeared:
          self?.rulesChanged()
          self?.refill()
        case .vanished:
          self?.rulesChanged()
          self?.reloadRules()
        }
      }
    } catch {
      Log.warning("Cannot watch the packet filter, so flushed rules will not be loaded again: \(error)")
    }
    if !(await filling.run()) { reloadRules() }
  }

  // MARK: What workloads open

  /// Registers a pod that was taken over; ``start()`` applies it.
  func note(_ pod: PodName, uid: UInt32, words: [String]) {
    opened[pod] = words.isEmpty ? nil : (uid, words)
  }

  /// Opens the addresses of a pod that is about to be launched. Returns when the kernel has them, and throws while it has
  /// no rules: no pod runs without them.
  func open(_ pod: PodName, uid: UInt32, words: [String]) async throws(LaunchFailure) {
    if words.isEmpty {
      close(pod)
      // Without the kernel's events podd does not know what has become of the rules.
      if standing != nil { return }
    } else {
      opened[pod] = (uid, words)
    }
    if await filling.run() { return }
    reloadRules()
    // The same once more, for an error at once: a caller waits for this launch.
    _ = try? await systemd.manager.reloadOrRestartUnit(Self.unit)
    if !(await filling.run()) { throw LaunchFailure(stage: .firewall, error: "EAGAIN") }
  }

  /// Closes the addresses of a pod that has ended.
  func close(_ pod: PodName) {
    if opened.removeValue(forKey: pod) != nil { refill() }
  }

  // MARK: Who may connect

  /// `FrontUsers=` of podd.conf; ``start()`` applies it too. Nil: all users.
  func admit(_ users: [UInt32]?) {
    guard users != visitors else { return }
    visitors = users
    if events != nil { refill() }
  }

  // MARK: Held connections

  /// Whether connections to sleeping pods can be held, and wake them.
  var canHold: Bool { heldConnections.isAvailable }

  /// Holds new connections to the pod in ``HeldConnections``; open connections continue. Returns true when
  /// the kernel has the rule, and false when it has not and nothing is held. The hold ends at
  /// ``release(_:)``, or by itself after `timeout` (at most an hour), also when podd has ended.
  func hold(_ pod: PodName, address: String, port: Int, timeout: Microseconds) async -> Bool {
    let timeout = min(timeout, Self.longestHold)
    held[pod] = PacketFilter.Hold(
      address: address, port: port, deadline: EventLoop.main.now() + timeout)
    heldConnections.hold(address: address, port: port, timeout: timeout)
    if await filling.run() { return true }
    held[pod] = nil
    if asleep[pod] == nil { heldConnections.release(address: address, port: port) }
    reloadRules()
    return false
  }

  /// Releases the connections that wait, then removes the rule. Does nothing for a pod that is not held.
  func release(_ pod: PodName) async {
    guard let hold = held.removeValue(forKey: pod), asleep[pod] == nil else { return }
    heldConnections.release(address: hold.address, port: hold.port)
    if !(await filling.run()) { reloadRules() }
  }

  /// Holds new connections to a sleeping pod until ``endSleep(_:)``, also across a restart of podd. `knock`
  /// is called for each connection, also for those that are held already. Returns true when the kernel has
  /// the rule. False: podd would not learn of connections, so the kernel refuses them.
  func sleep(_ pod: PodName, address: String, port: Int, knock: @escaping @LoopActor () -> Void) async -> Bool
  {
    guard heldConnections.sleep(address: address, port: port, knock: knock) else { return false }
    if asleep.updateValue(PacketFilter.Hold(address: address, port: port, deadline: nil), forKey: pod)
      != nil
    {
      return true
    }
    if await filling.run() { return true }
    reloadRules()
    return true
  }

  /// Releases the connections that wait: to the program, if it listens by now.
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
    let content: PacketFilter.Content
    do {
      content = try PacketFilter.Content(
        opened: Array(opened.values), held: Array(held.merging(asleep) { $1 }.values),
        visitors: visitors)
      if content == standing { return true }
      let now = EventLoop.main.now()
      try Files.replace(Self.script, with: content.script(now: now), mode: 0o600)
      if let standing {
        try Files.replace(Self.change, with: content.change(from: standing, now: now), mode: 0o600)
      }
    } catch {
      Log.error("Cannot write \(Self.script), so the packet filter keeps what it has: \(error)")
      return false
    }
    let (former, table) = (standing, tables)
    standing = nil
    if await Self.run(["-f", former == nil ? Self.script : Self.change]) {
      // Without the kernel's events podd does not know what becomes of the rules.
      standing = events != nil && table == tables ? content : nil
      return true
    }
    guard former != nil, await write() else { return false }
    if table == tables {
      Log.warning("nft refused a change of podd's rules (\(Self.change)), so podd wrote all of them.")
    }
    return true
  }

  private func rulesChanged() {
    standing = nil
    tables += 1
  }

  // MARK: When the rules go

  /// Reloads the rules until that succeeds. Another firewall's flush removes them all at once; until they are
  /// back, each scope's own IPAddressDeny= holds.
  private func reloadRules() {
    guard !isReloading else { return }
    isReloading = true
    loopTask {
      var pauses = DoublingPause(first: .milliseconds(100), longest: .minutes(1))
      var hasReported = false
      while !(await Self.isLoaded()) {
        if !hasReported {
          self.alerts.report(.firewallLost())
          hasReported = true
        }
        await self.systemd.available()
        do throws(BusError) {
          _ = try await self.systemd.manager.reloadOrRestartUnit(Self.unit)
        } catch {
          // PID 1 already has a job for the unit, because an operator stops or starts it at this moment.
          Log.debug("\(Self.unit): \(error.message)")
        }
        if await Self.isLoaded() { break }
        await EventLoop.main.sleep(pauses.next())
      }
      self.isReloading = false
      if hasReported { Log.notice("The packet filter rules for pods are loaded again.") }
      _ = await self.filling.run()
    }
  }
}
