public import PodModel
internal import Systemd

/// Calls podd and waits for its answer. Belongs to the thread that made it.
public final class Client {
  private let bus: Bus
  private let host: String?
  /// Lets polkit ask the person at the terminal for a password.
  public var interactive = false

  /// A drain and a start each have a limit of their own in podd; this only bounds a podd that hangs.
  static let changeTimeoutUSec: UInt64 = 600_000_000
  static let glanceTimeoutUSec: UInt64 = 3_000_000

  /// Connects to this host's bus, or through ssh to another's.
  public init(host: String? = nil) throws(CallError) {
    self.host = host
    do throws(BusError) {
      bus = if let host { try Bus.openSystemRemote(host: host) } else { try Bus.openSystem() }
    } catch {
      throw CallError.connecting(error, host: host)
    }
  }

  public func provision(user: String, tier: String?, cold: Bool) throws(CallError) -> Placement {
    try call("Provision", change: true) { message throws(BusError) in
      try message.append(user)
      try message.append(tier ?? "")
      try message.append(cold)
    } reading: { reply throws(BusError) in
      try Placement(reading: reply)
    }
  }

  public func deprovision(user: String, purge: Bool) throws(CallError) {
    try call("Deprovision", change: true) { message throws(BusError) in
      try message.append(user)
      try message.append(purge)
    } reading: { _ in
    }
  }

  public func listPods() throws(CallError) -> [PodRow] {
    try list("ListPods", of: "(\(PodRow.signature))") { reply throws(BusError) in try PodRow(reading: reply) }
  }

  public func listUsers() throws(CallError) -> [UserRow] {
    try list("ListUsers", of: "(\(UserRow.signature))") { reply throws(BusError) in
      try UserRow(reading: reply)
    }
  }

  public func listTiers() throws(CallError) -> [TierRow] {
    try list("ListTiers", of: "(\(TierRow.signature))") { reply throws(BusError) in
      try TierRow(reading: reply)
    }
  }

  public func pod(_ name: String) throws(CallError) -> Properties { try properties("GetPod", name) }

  public func user(_ name: String) throws(CallError) -> Properties { try properties("GetUser", name) }

  public func status() throws(CallError) -> Properties { try properties("GetStatus", nil) }

  /// - Parameter watching: For whoever asks again and again: a podd that was stopped is left alone, and one that hangs
  ///   is not waited for.
  public func listUsage(watching: Bool = false) throws(CallError) -> [UsageRow] {
    do throws(BusError) {
      let reply =
        watching
        ? try send("ListUsage", .glance, autoStart: false) { _ in }
        : try answer("ListUsage", .question) { _ in }
      var rows: [UsageRow] = []
      try reply.readArray(of: "(\(UsageRow.signature))") { () throws(BusError) in
        rows.append(try UsageRow(reading: reply))
      }
      return rows
    } catch {
      throw CallError(error, host: host)
    }
  }

  /// How many minutes are asked for at once: an answer of 370 kB at most.
  static let minutesAtATime: UInt32 = 4096

  /// The minutes of a pod that began from `since` to `until`, oldest first; CLOCK_REALTIME in microseconds.
  public func history(ofPod pod: String, since: UInt64, until: UInt64 = .max) throws(CallError)
    -> [MemoryMinute]
  {
    var minutes: [MemoryMinute] = []
    while true {
      // A page may end between two generations of one minute.
      let last = minutes.last
      let page = try call("GetHistory") { message throws(BusError) in
        try message.append(pod)
        try message.append(last?.time ?? since)
        try message.append(until)
        try message.append(Self.minutesAtATime)
      } reading: { reply throws(BusError) in
        var rows: [MemoryMinute] = []
        try reply.readArray(of: "(\(MemoryMinute.signature))") { () throws(BusError) in
          rows.append(try MemoryMinute(reading: reply))
        }
        return rows
      }
      let new = page.drop { row in
        last.map { (row.minute, row.generation) <= ($0.minute, $0.generation) } ?? false
      }
      minutes += new
      if new.isEmpty || page.count < Self.minutesAtATime { return minutes }
    }
  }

  /// What is done to one pod by hand; each answers with the state that the pod is then in.
  public enum PodAction: String, Sendable {
    case start = "StartPod"
    case stop = "StopPod"
    case restart = "RestartPod"
    case reset = "ResetPod"
    case freeze = "FreezePod"
    case thaw = "ThawPod"
    case wake = "WakePod"
  }

  public func perform(_ action: PodAction, on pod: String) throws(CallError) -> String {
    try call(action.rawValue, change: true) { message throws(BusError) in
      try message.append(pod)
    } reading: { reply throws(BusError) in
      try reply.readString()
    }
  }

  /// What can be tried dry first: nothing is done, podd only says what would be.
  public enum PlannedAction: String, Sendable {
    case recycle = "RecyclePod"
    case evict = "EvictPod"
  }

  /// The pod's state now, and one sentence on what was or would be done.
  public func perform(
    _ action: PlannedAction, on pod: String, dryRun: Bool
  ) throws(CallError) -> (state: String, plan: String) {
    try call(action.rawValue, change: true) { message throws(BusError) in
      try message.append(pod)
      try message.append(dryRun)
    } reading: { reply throws(BusError) in
      (state: try reply.readString(), plan: try reply.readString())
    }
  }

  /// Replaces a tier's pods and tells how far it is. Takes as long as podd lets it take.
  public func rollout(
    _ request: RolloutRequest, progress: @escaping (RolloutProgress) -> Void
  ) throws(CallError) -> RolloutResult {
    do throws(BusError) {
      let match = try bus.match(
        sender: PodBus.name, path: PodBus.path, interface: PodBus.interface, member: PodBus.rolloutProgress
      ) { signal in
        guard let step = try? RolloutProgress(reading: signal), step.tier == request.tier else { return }
        progress(step)
      }
      defer { withExtendedLifetime(match) {} }
      return try RolloutResult(
        reading: try answer("Rollout", .listening) { message throws(BusError) in
          try request.append(to: message)
        })
    } catch {
      throw CallError(error, host: host)
    }
  }

  /// What does not hold on the host although it always should; one sentence each.
  public func checkInvariants() throws(CallError) -> [String] {
    try call("CheckInvariants") { _ in
    } reading: { reply throws(BusError) in
      var violations: [String] = []
      try reply.readArray(of: "s") { () throws(BusError) in violations.append(try reply.readString()) }
      return violations
    }
  }

  /// Makes podd read its settings again.
  public func reload() throws(CallError) {
    try call("Reload", change: true) { _ in
    } reading: { _ in
    }
  }

  /// How an answer is waited for.
  private enum Wait {
    /// podd looks something up.
    case question
    /// The same, for a moment only.
    case glance
    /// podd changes something, within its own limits.
    case change
    /// As `change`, however long it takes; signals are heard meanwhile.
    case listening
  }

  private func properties(_ member: String, _ argument: String?) throws(CallError) -> Properties {
    try call(member) { message throws(BusError) in
      if let argument { try message.append(argument) }
    } reading: { reply throws(BusError) in
      Properties(try reply.readVariantDictionary())
    }
  }

  private func list<Row>(
    _ member: String, of contents: String, _ read: (borrowing Message) throws(BusError) -> Row
  ) throws(CallError) -> [Row] {
    try call(member) { _ in
    } reading: { reply throws(BusError) in
      var rows: [Row] = []
      try reply.readArray(of: contents) { () throws(BusError) in rows.append(try read(reply)) }
      return rows
    }
  }

  private func call<Result>(
    _ member: String, change: Bool = false,
    _ build: (borrowing Message) throws(BusError) -> Void,
    reading read: (borrowing Message) throws(BusError) -> Result
  ) throws(CallError) -> Result {
    do throws(BusError) {
      return try read(try answer(member, change ? .change : .question, build))
    } catch {
      throw CallError(error, host: host)
    }
  }

  /// The bus starts podd when it is not running. Where podd has given up, that would fail again, and the bus
  /// would tell so only when its own patience is over: two minutes without a word.
  private func answer(
    _ member: String, _ wait: Wait, _ build: (borrowing Message) throws(BusError) -> Void
  ) throws(BusError) -> Message {
    do throws(BusError) {
      return try send(member, wait, autoStart: false, build)
    } catch {
      switch error.name {
      case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner": break
      default: throw error
      }
      if let reason = reasonOfFailure() {
        throw BusError(name: error.name, message: reason, code: error.code)
      }
      return try send(member, wait, autoStart: true, build)
    }
  }

  private func send(
    _ member: String, _ wait: Wait, autoStart: Bool, _ build: (borrowing Message) throws(BusError) -> Void
  ) throws(BusError) -> Message {
    let message = try bus.newMethodCall(
      destination: PodBus.name, path: PodBus.path, interface: PodBus.interface, member: member)
    message.setAutoStart(autoStart)
    if wait != .question && wait != .glance && interactive { message.setAllowInteractiveAuthorization(true) }
    try build(message)
    return switch wait {
    case .question: try bus.call(message)
    case .glance: try bus.call(message, timeoutUSec: Self.glanceTimeoutUSec)
    case .change: try bus.call(message, timeoutUSec: Self.changeTimeoutUSec)
    case .listening: try bus.callListening(message, timeoutUSec: UInt64.max)
    }
  }

  /// What podd said before it gave up; nil unless podd.service is in state "failed", out of which systemd does
  /// not bring it by itself.
  private func reasonOfFailure() -> String? {
    guard let state = try? unitProperty("ActiveState", "Unit"), state == "failed" else { return nil }
    let text = (try? unitProperty("StatusText", "Service")) ?? ""
    return text.isEmpty ? "podd.service failed" : text
  }

  private func unitProperty(_ name: String, _ interface: String) throws(BusError) -> String {
    let message = try bus.newMethodCall(
      destination: "org.freedesktop.systemd1", path: "/org/freedesktop/systemd1/unit/podd_2eservice",
      interface: "org.freedesktop.DBus.Properties", member: "Get")
    try message.append("org.freedesktop.systemd1.\(interface)")
    try message.append(name)
    let reply = try bus.call(message)
    guard try reply.enterContainer(.variant, "s") else { return "" }
    return try reply.readString()
  }
}
