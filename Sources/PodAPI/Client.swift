public import PodModel
internal import Systemd
public import Time

/// Calls podd and waits for its reply. An instance belongs to the thread that created it.
public final class Client {
  private let bus: Bus
  private let host: String?
  /// Whether polkit may ask the person at the terminal for a password.
  public var interactive = false

  /// podd bounds each drain and each start itself; this timeout is for a podd that hangs.
  static let changeTimeout: Microseconds = .minutes(10)
  static let glanceTimeout: Microseconds = .seconds(3)

  /// Connects to the system bus of this host, or of another one through ssh.
  public init(host: String? = nil) throws(CallError) {
    self.host = host
    do throws(BusError) {
      bus = if let host { try Bus.openSystemRemote(host: host) } else { try Bus.openSystem() }
    } catch {
      throw CallError.connecting(error, host: host)
    }
  }

  // MARK: Users

  public func provision(user: UserName, tier: String?, cold: Bool) throws(CallError) -> Placement {
    try call(.provision, ProvisionCall(user: user.text, tier: tier, cold: cold), .change)
  }

  public func deprovision(user: UserName, purge: Bool) throws(CallError) {
    let _: Nothing = try call(.deprovision, DeprovisionCall(user: user.text, purge: purge), .change)
  }

  /// Ends the user's access; the data stays where it is. Returns the user's status.
  public func suspend(user: UserName) throws(CallError) -> String {
    let reply: StatusReply = try call(.suspendUser, UserCall(user: user.text), .change)
    return reply.status
  }

  /// Gives a suspended user access again, with a new token. Returns the user's status.
  public func resume(user: UserName) throws(CallError) -> String {
    let reply: StatusReply = try call(.resumeUser, UserCall(user: user.text), .change)
    return reply.status
  }

  /// All users, without their last use.
  public func listUsers() throws(CallError) -> [UserRow] { try call(.listUsers, Nothing(), .question) }

  /// All users, with their last use: one more call.
  public func listUsersWithLastUse() throws(CallError) -> [UserRow] {
    var rows = try listUsers()
    let uses = try listLastUse()
    guard !uses.isEmpty else { return rows }
    let times = Dictionary(uses.map { ($0.user, $0.at) }, uniquingKeysWith: { max($0, $1) })
    for index in rows.indices { rows[index].lastUsed = times[rows[index].user] }
    return rows
  }

  private func listLastUse() throws(CallError) -> [LastUseRow] {
    try ifKnown { () throws(BusError) in
      try [LastUseRow](reading: try reply(to: .listLastUse, Nothing(), .question))
    } ?? []
  }

  public func user(_ name: UserName) throws(CallError) -> Properties {
    try call(.getUser, UserCall(user: name.text), .question)
  }

  // MARK: Pods

  public func listPods() throws(CallError) -> [PodRow] { try call(.listPods, Nothing(), .question) }

  public func pod(_ name: String) throws(CallError) -> Properties {
    try call(.getPod, PodCall(pod: name), .question)
  }

  /// - Parameter watching: For a caller that repeats the call: it does not start a podd that was stopped, and does not
  ///   wait long for one that hangs.
  public func listUsage(watching: Bool = false) throws(CallError) -> [UsageRow] {
    guard watching else { return try call(.listUsage, Nothing(), .question) }
    do throws(BusError) {
      return try [UsageRow](reading: try send(.listUsage, Nothing(), .glance, autoStart: false))
    } catch {
      throw CallError(error, host: host)
    }
  }

  /// The requests that front doors have reported; nil from a podd that does not count them.
  /// - Parameter watching: as in ``listUsage(watching:)``.
  public func listRequests(watching: Bool = false) throws(CallError) -> CountedRequests? {
    try ifKnown { () throws(BusError) in
      try CountedRequests(
        reading: watching
          ? try send(.listRequests, Nothing(), .glance, autoStart: false)
          : try reply(to: .listRequests, Nothing(), .question))
    }
  }

  /// How many minutes are asked for at once: a reply of at most 370 kB.
  static let minutesAtATime: UInt32 = 4096

  /// The minutes of a pod that began from `since` to `until`, oldest first.
  public func history(ofPod pod: String, since: WallTime, until: WallTime = .never) throws(CallError)
    -> [MemoryMinute]
  {
    var minutes: [MemoryMinute] = []
    while true {
      // Two generations can share a minute, and a page can end between them: the last minute is read again.
      let last = minutes.last
      let page: [MemoryMinute] = try call(
        .getHistory,
        HistoryCall(pod: pod, since: last?.time ?? since, until: until, limit: Self.minutesAtATime),
        .question)
      let new = page.drop { row in
        last.map { (row.minute, row.generation) <= ($0.minute, $0.generation) } ?? false
      }
      minutes += new
      if new.isEmpty || page.count < Self.minutesAtATime { return minutes }
    }
  }

  /// What can be done to one pod.
  public enum PodAction: Sendable {
    case start, stop, restart, reset, freeze, thaw, wake

    var method: Method {
      switch self {
      case .start: .startPod
      case .stop: .stopPod
      case .restart: .restartPod
      case .reset: .resetPod
      case .freeze: .freezePod
      case .thaw: .thawPod
      case .wake: .wakePod
      }
    }
  }

  /// Returns the state in which the pod then is.
  public func perform(_ action: PodAction, on pod: String) throws(CallError) -> String {
    let reply: StateReply = try call(action.method, PodCall(pod: pod), .change)
    return reply.state
  }

  /// What can be done to one pod and has a dry run, in which podd only replies what it would do.
  public enum PlannedAction: Sendable {
    case recycle, evict

    var method: Method {
      switch self {
      case .recycle: .recyclePod
      case .evict: .evictPod
      }
    }
  }

  public func perform(_ action: PlannedAction, on pod: String, dryRun: Bool) throws(CallError) -> PlanReply {
    try call(action.method, PlanCall(pod: pod, dryRun: dryRun), .change)
  }

  // MARK: Tiers and the host

  public func listTiers() throws(CallError) -> [TierRow] { try call(.listTiers, Nothing(), .question) }

  /// Replaces a tier's pods and reports progress. Waits as long as podd needs.
  public func rollout(
    _ request: RolloutRequest, progress: @escaping (RolloutProgress) -> Void
  ) throws(CallError) -> RolloutResult {
    do throws(BusError) {
      let match = try bus.match(
        sender: PodBus.name, path: PodBus.path, interface: PodBus.interface,
        member: Signal.rolloutProgress.name
      ) { signal in
        guard let step = try? RolloutProgress(reading: signal), step.tier == request.tier else { return }
        progress(step)
      }
      defer { withExtendedLifetime(match) {} }
      return try RolloutResult(reading: try reply(to: .rollout, RolloutCall(request), .listening))
    } catch {
      throw CallError(error, host: host)
    }
  }

  /// What podd counts, and what its pods use. Does not start a podd that was stopped: whoever scrapes comes again every few
  /// seconds.
  public func metrics() throws(CallError) -> MetricsReply {
    do throws(BusError) {
      return try MetricsReply(reading: try send(.getMetrics, Nothing(), .question, autoStart: false))
    } catch {
      throw CallError(error, host: host)
    }
  }

  public func status() throws(CallError) -> Properties { try call(.getStatus, Nothing(), .question) }

  /// One sentence for each invariant that does not hold on the host.
  public func checkInvariants() throws(CallError) -> [String] {
    let reply: Violations = try call(.checkInvariants, Nothing(), .question)
    return reply.sentences
  }

  /// Makes an entry in the audit log for a request that somebody else made of the caller.
  public func record(_ request: RequestRecord) throws(CallError) {
    let _: Nothing = try call(.recordRequest, request, .change)
  }

  // MARK: Calls

  /// How long a call waits for its reply.
  private enum Wait {
    /// podd only reads: sd-bus's default timeout.
    case question
    /// podd only reads, and the caller comes back soon.
    case glance
    /// podd changes something, within its own limits.
    case change
    /// As `change`, without a timeout; signals are received meanwhile.
    case listening

    var changes: Bool { self == .change || self == .listening }
  }

  /// Nil if podd does not know the method: an earlier podd, on another host.
  private func ifKnown<Reply>(_ call: () throws(BusError) -> Reply) throws(CallError) -> Reply? {
    do throws(BusError) {
      return try call()
    } catch {
      guard error.name == "org.freedesktop.DBus.Error.UnknownMethod" else {
        throw CallError(error, host: host)
      }
      return nil
    }
  }

  private func call<Reply: MessageBody>(
    _ method: Method, _ arguments: some CallBody, _ wait: Wait
  ) throws(CallError) -> Reply {
    do throws(BusError) {
      return try Reply(reading: try reply(to: method, arguments, wait))
    } catch {
      throw CallError(error, host: host)
    }
  }

  /// The bus starts podd when it does not run. After podd has given up, another start fails too, and the bus reports
  /// that only after two minutes; so ask systemd first why podd is not there.
  private func reply(
    to method: Method, _ arguments: some CallBody, _ wait: Wait
  ) throws(BusError) -> Message {
    do throws(BusError) {
      return try send(method, arguments, wait, autoStart: false)
    } catch {
      switch error.name {
      case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner": break
      default: throw error
      }
      if let reason = reasonOfFailure() {
        throw BusError(name: error.name, message: reason, code: error.code)
      }
      return try send(method, arguments, wait, autoStart: true)
    }
  }

  private func send(
    _ method: Method, _ arguments: some CallBody, _ wait: Wait, autoStart: Bool
  ) throws(BusError) -> Message {
    let message = try bus.newMethodCall(
      destination: PodBus.name, path: PodBus.path, interface: PodBus.interface, member: method.name)
    message.setAutoStart(autoStart)
    if wait.changes && interactive { message.setAllowInteractiveAuthorization(true) }
    try arguments.append(to: message)
    return switch wait {
    case .question: try bus.call(message)
    case .glance: try bus.call(message, timeout: Self.glanceTimeout)
    case .change: try bus.call(message, timeout: Self.changeTimeout)
    case .listening: try bus.callListening(message, timeout: .infinity)
    }
  }

  /// systemd's ActiveState of units, by name.
  public func activeStates(of units: [String]) throws(CallError) -> [String: String] {
    do throws(BusError) {
      let message = try bus.newMethodCall(
        destination: "org.freedesktop.systemd1", path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager", member: "ListUnitsByNames")
      try message.append(units)
      let reply = try bus.call(message)
      var states: [String: String] = [:]
      try reply.readArray(of: "(ssssssouso)") { () throws(BusError) in
        try reply.enterStructure("ssssssouso")
        let name = try reply.readString()
        try reply.skip("ss")
        states[name] = try reply.readString()
        try reply.skip("ssouso")
        try reply.exitContainer()
      }
      return states
    } catch {
      throw CallError(error, host: host)
    }
  }

  /// podd's last status line if podd.service has failed for good; nil if systemd may still start it.
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
