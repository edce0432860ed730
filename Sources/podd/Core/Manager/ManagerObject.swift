import PodAPI
import PodModel
import PodStore
import Systemd

/// `/org/podctl1` on the bus: reads the arguments, asks polkit, calls the host, answers.
@LoopActor
final class ManagerObject {
  private let host: PodHost
  private let polkit: Polkit
  private let bus: Bus
  private var slot: Slot?
  private var namesSlot: Slot?

  init(host: PodHost, bus: Bus) throws(BusError) {
    self.host = host
    self.bus = bus
    polkit = Polkit(bus: bus)
    host.frontDoors.tell = { [weak self] message in self?.emit(message) }
    slot = try bus.addObject(path: PodBus.path) { [weak self] call in
      LoopActor.assumeIsolated { self?.dispatch(call) ?? false }
    }
  }

  func emitStateChanged(_ pod: Pod) {
    emit(PodBus.stateChanged) { m throws(BusError) in
      try m.append(pod.name.description)
      try m.append(pod.state.rawValue)
      try m.append(UInt64(max(0, pod.machine.lastGeneration)))
      try m.append(pod.lifecycle.lastEnd?.description ?? "")
    }
  }

  // MARK: Dispatch

  private func dispatch(_ call: MethodCall) -> Bool {
    switch call.interface {
    case PodBus.interface:
      guard let method = Method(rawValue: call.member) else { return false }
      guard method.signature == call.signature else {
        call.fail(
          BusError(
            name: "org.freedesktop.DBus.Error.InvalidArgs",
            message: "\(call.member) takes (\(method.signature)), not (\(call.signature))", code: 22))
        return true
      }
      loopTask { await self.run(method, call) }
      return true
    case "org.freedesktop.DBus.Introspectable" where call.member == "Introspect":
      call.reply { message throws(BusError) in try message.append(Introspection.xml) }
      return true
    case "org.freedesktop.DBus.Properties":
      return ManagerProperties(host: host).answer(call)
    default:
      return false
    }
  }

  /// The methods of org.podctl1.xml, with the signature of their arguments and the polkit action.
  enum Method: String, CaseIterable {
    case provision = "Provision"
    case deprovision = "Deprovision"
    case listPods = "ListPods"
    case listUsers = "ListUsers"
    case listTiers = "ListTiers"
    case getPod = "GetPod"
    case getUser = "GetUser"
    case getStatus = "GetStatus"
    case getHistory = "GetHistory"
    case listUsage = "ListUsage"
    case startPod = "StartPod"
    case stopPod = "StopPod"
    case restartPod = "RestartPod"
    case resetPod = "ResetPod"
    case recyclePod = "RecyclePod"
    case evictPod = "EvictPod"
    case freezePod = "FreezePod"
    case thawPod = "ThawPod"
    case wakePod = "WakePod"
    case rollout = "Rollout"
    case checkInvariants = "CheckInvariants"
    case attachFrontDoor = "AttachFrontDoor"
    case acknowledgeHold = "AcknowledgeHold"
    case reload = "Reload"

    var signature: String {
      switch self {
      case .provision: "ssb"
      case .deprovision, .recyclePod, .evictPod: "sb"
      case .listPods, .listUsers, .listTiers, .getStatus, .reload, .checkInvariants, .attachFrontDoor,
        .listUsage:
        ""
      case .getPod, .getUser, .startPod, .stopPod, .restartPod, .resetPod, .freezePod, .thawPod, .wakePod: "s"
      case .rollout: "suts"
      case .getHistory: "sttu"
      case .acknowledgeHold: "t"
      }
    }

    var action: String {
      switch self {
      case .provision: "org.podctl1.provision"
      case .deprovision: "org.podctl1.deprovision"
      case .startPod, .stopPod, .restartPod, .resetPod, .recyclePod, .evictPod, .freezePod, .thawPod,
        .wakePod,
        .rollout:
        "org.podctl1.manage-pods"
      case .attachFrontDoor, .acknowledgeHold: "org.podctl1.front-door"
      case .reload: "org.podctl1.manage-host"
      case .listPods, .listUsers, .listTiers, .getPod, .getUser, .getStatus, .checkInvariants, .getHistory,
        .listUsage:
        "org.podctl1.view"
      }
    }

    /// What the audit log keeps.
    var changes: Bool { action != "org.podctl1.view" && action != "org.podctl1.front-door" }
  }

  private func run(_ method: Method, _ call: MethodCall) async {
    do throws(BusError) {
      let caller = try await polkit.caller(call.sender)
      let subject =
        method.signature.hasPrefix("s") ? try call.arguments { m throws(BusError) in try m.readString() } : ""
      do throws(BusError) {
        try await polkit.check(
          caller, action: method.action, interactive: call.allowsInteractiveAuthorization)
      } catch {
        denied(method, caller, subject, error)
        throw error
      }
      do throws(Refusal) {
        try await perform(method, subject, caller, call)
        audit(method, caller, subject, "done")
      } catch {
        audit(method, caller, subject, "\(error.error)")
        throw BusError(name: error.error.name, message: error.message)
      }
    } catch {
      call.fail(error)
    }
  }

  private func perform(
    _ method: Method, _ subject: String, _ caller: Polkit.Caller, _ call: MethodCall
  ) async throws(Refusal) {
    let views = HostViews(host: host)
    switch method {
    case .provision:
      let (tier, cold) = try arguments(call) { m throws(BusError) in (try m.readString(), try m.readBool()) }
      let placement = try await host.provision(user: subject, tier: tier, cold: cold)
      call.reply { m throws(BusError) in try placement.append(to: m) }
    case .deprovision:
      let purge = try arguments(call) { m throws(BusError) in try m.readBool() }
      try await host.deprovision(user: subject, purge: purge)
      call.reply()
    case .listPods:
      let rows = views.podRows()
      reply(call, PodRow.signature, rows) { row, m throws(BusError) in try row.append(to: m) }
    case .listUsers:
      let rows = try await views.userRows()
      reply(call, UserRow.signature, rows) { row, m throws(BusError) in try row.append(to: m) }
    case .listTiers:
      let rows = try await views.tierRows()
      reply(call, TierRow.signature, rows) { row, m throws(BusError) in try row.append(to: m) }
    case .getPod:
      let properties = try await views.properties(of: try host.pod(named: subject))
      call.reply { m throws(BusError) in try m.append(properties) }
    case .getUser:
      let properties = try await views.properties(ofUser: subject)
      call.reply { m throws(BusError) in try m.append(properties) }
    case .getStatus:
      let properties = try await views.status()
      call.reply { m throws(BusError) in try m.append(properties) }
    case .getHistory:
      let (since, until, limit) = try arguments(call) { m throws(BusError) in
        (try m.readUInt64(), try m.readUInt64(), try m.readUInt32())
      }
      let rows = try await host.memoryHistory.minutes(
        ofPod: subject, since: since, until: until, limit: limit)
      reply(call, MemoryMinute.signature, rows) { row, m throws(BusError) in try row.append(to: m) }
    case .listUsage:
      let rows = await host.usage.rows()
      reply(call, UsageRow.signature, rows) { row, m throws(BusError) in try row.append(to: m) }
    case .startPod, .stopPod, .restartPod, .resetPod, .freezePod, .thawPod, .wakePod:
      let pod = try host.pod(named: subject)
      switch method {
      case .startPod: try await host.start(pod)
      case .stopPod: try await host.stop(pod)
      case .restartPod: try await host.restart(pod)
      case .freezePod: try await host.freeze(pod)
      case .thawPod: try await host.thaw(pod)
      case .wakePod: try await host.wake(pod)
      default: try await host.reset(pod)
      }
      call.reply { m throws(BusError) in try m.append(pod.state.rawValue) }
    case .recyclePod, .evictPod:
      let dryRun = try arguments(call) { m throws(BusError) in try m.readBool() }
      let pod = try host.pod(named: subject)
      let plan =
        method == .recyclePod
        ? try await host.recycle(pod, dryRun: dryRun) : await host.evict(pod, dryRun: dryRun)
      call.reply { m throws(BusError) in
        try m.append(pod.state.rawValue)
        try m.append(plan)
      }
    case .rollout: try await rollout(subject, call)
    case .checkInvariants:
      let broken = try await InvariantCheck(host: host).violations()
      call.reply { m throws(BusError) in
        try m.openContainer(.array, "s")
        for sentence in broken { try m.append(sentence) }
        try m.closeContainer()
      }
    case .attachFrontDoor:
      try watchFrontDoors()
      host.frontDoors.attach(caller.sender)
      call.reply()
    case .acknowledgeHold:
      let number = try arguments(call) { m throws(BusError) in try m.readUInt64() }
      guard host.frontDoors.acknowledge(number, by: caller.sender) else {
        throw Refusal(.busy, "there is no hold \(number) any more")
      }
      call.reply()
    case .reload:
      do throws(Configuration.Failure) { try host.reloadSettings() } catch { throw Refusal(error) }
      call.reply()
    }
  }

  private func rollout(_ tier: String, _ call: MethodCall) async throws(Refusal) {
    let (parallel, healthy, word) = try arguments(call) { m throws(BusError) in
      (try m.readUInt32(), try m.readUInt64(), try m.readString())
    }
    guard let mode = RolloutRequest.Mode(rawValue: word) else {
      throw Refusal(
        .invalidSettings, "a rollout's mode is restart, resume or revert, not '\(word.prefix(20))'")
    }
    let request = RolloutRequest(
      tier: tier, maxParallel: parallel == 0 ? nil : parallel,
      healthyUSec: healthy == PodBus.noSize ? nil : healthy, mode: mode)
    let result = try await host.rollouts.run(request) { [weak self] step in
      self?.emit(PodBus.rolloutProgress) { m throws(BusError) in try step.append(to: m) }
    }
    call.reply { m throws(BusError) in try result.append(to: m) }
  }

  // MARK: Signals

  private func emit(_ message: FrontDoors.Message) {
    switch message {
    case .hold(let pod, let number, let timeout):
      emit(PodBus.holdPod) { m throws(BusError) in
        try m.append(pod.description)
        try m.append(number)
        try m.append(timeout)
      }
    case .release(let pod, let number):
      emit(PodBus.releasePod) { m throws(BusError) in
        try m.append(pod.description)
        try m.append(number)
      }
    }
  }

  /// Signals are a courtesy: whoever missed one asks.
  private func emit(_ member: String, _ append: (borrowing Message) throws(BusError) -> Void) {
    do throws(BusError) {
      let signal = try bus.newSignal(path: PodBus.path, interface: PodBus.interface, member: member)
      try append(signal)
      try bus.send(signal)
    } catch {
      Log.debug("Cannot send \(member), ignoring: \(error.message)")
    }
  }

  /// Only once there is a front door: every client that comes and goes would wake podd.
  private func watchFrontDoors() throws(Refusal) {
    guard namesSlot == nil else { return }
    do throws(BusError) {
      namesSlot = try bus.match(
        sender: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus",
        member: "NameOwnerChanged"
      ) { [weak self] message in
        guard let name = try? message.readString(), (try? message.readString()) != nil,
          let owner = try? message.readString(), owner.isEmpty
        else { return }
        self?.host.frontDoors.detach(name)
      }
    } catch {
      throw Refusal(.busy, "front doors cannot be watched: \(error.message)")
    }
  }

  private func arguments<Result>(
    _ call: MethodCall, _ read: (borrowing Message) throws(BusError) -> Result
  ) throws(Refusal) -> Result {
    do throws(BusError) {
      return try call.arguments(read)
    } catch {
      throw Refusal(.invalidUser, error.message)
    }
  }

  private func reply<Row>(
    _ call: MethodCall, _ signature: String, _ rows: [Row],
    _ append: (Row, borrowing Message) throws(BusError) -> Void
  ) {
    call.reply { message throws(BusError) in
      try message.openContainer(.array, "(\(signature))")
      for row in rows { try append(row, message) }
      try message.closeContainer()
    }
  }

  // MARK: Records

  private func denied(_ method: Method, _ caller: Polkit.Caller, _ subject: String, _ error: BusError) {
    Log.event(
      .accessDenied, "\(method.rawValue) was denied to uid \(caller.uid): \(error.message)",
      priority: .warning,
      [
        ("POD_ACTION", method.action), ("POD_CALLER_UID", String(caller.uid)),
        ("POD_CALLER", caller.sender), ("POD_SUBJECT", subject.filter { $0 >= " " }),
      ])
    audit(method, caller, subject, "denied")
  }

  private func audit(_ method: Method, _ caller: Polkit.Caller, _ subject: String, _ result: String) {
    guard method.changes else { return }
    let entry = AuditRecord(
      at: Int64(realtimeNow()), uid: caller.uid, sender: caller.sender, verb: method.rawValue,
      subject: String(subject.prefix(256)), result: result)
    host.write("the audit entry") { store throws(StoreError) in try store.audit(entry) }
  }
}
