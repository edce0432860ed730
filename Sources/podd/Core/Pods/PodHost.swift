import Glibc
import Linux
import PodAPI
import PodModel
import PodStore
import Systemd

/// All pods of this host, and what they share.
@LoopActor
final class PodHost {
  let configuration: Configuration
  let records: Records
  /// PID 1, which stays the same object over a loss of the bus.
  let systemdConnection: SystemdConnection
  let sockets = ListeningSockets()
  let sliceOOMs = SliceOOMs()
  /// Scopes that earlier podds left behind.
  let strayScopes = StrayScopes()
  /// One call about a user at a time: the first may have to take back what the second would be answered.
  let userTurns = KeyedLock<UserName>()
  let userFiles = UserFiles()
  private(set) lazy var firewall = Firewall(systemdConnection, alerts)
  let frontDoors = FrontDoors()
  let clientConnections = ClientConnections()
  /// The uid of the front door's decisions, which are asked for with every new user. Nil: it is not known.
  private(set) var gateUID: uid_t?
  private(set) lazy var workloadVersions = WorkloadVersions(configuration, records)
  private(set) lazy var rollouts = Rollouts(host: self)
  private(set) lazy var alerts = Alerts(systemdConnection)
  private(set) lazy var shortage = ShortageGuard(host: self)
  private(set) lazy var endedConnections = EndedConnections(self)
  private(set) lazy var idle = IdleWatch(self)
  private(set) lazy var pressure = PressureWatch(self)
  private(set) lazy var memory = MemoryWatch(self)
  private(set) lazy var memoryHistory = MemoryHistory(host: self)
  private(set) lazy var usage = Usage(host: self)
  let figures = Figures()
  private(set) lazy var dataTotals = DataTotals(host: self)
  private(set) var settings: PoddSettings
  /// The tiers and workloads of podd's start, or of the last reload.
  private var announced: Configuration.Policies?
  /// LaunchesMax= of podd.conf(5).
  let launchSlots: AsyncSemaphore
  private(set) var pods: [PodName: Pod] = [:]
  /// Called for every change of a pod's state.
  var onChange: @LoopActor (Pod) -> Void = { _ in }
  /// Called when a user's status, pod or token has changed.
  var onUserChange: @LoopActor (UserRecord) -> Void = { _ in }
  /// Called when a reload has changed tiers or workloads.
  var onSettingsChange: @LoopActor () -> Void = {}
  /// Called when podd's status line may have changed.
  var onStatusChange: @LoopActor () -> Void = {}
  /// False until everything that runs is adopted: a pod must not be launched a second time.
  private(set) var wakesOnConnect = false

  init(configuration: Configuration, settings: PoddSettings, store: StoreWorker, systemd: SystemdManager) {
    self.configuration = configuration
    self.settings = settings
    records = Records(store)
    systemdConnection = SystemdConnection(systemd)
    launchSlots = AsyncSemaphore(settings.launchesMax)
  }

  var launcher: Launcher { Launcher(systemd: systemd, sockets: sockets) }

  var restartPolicy: Lifecycle.Policy {
    var policy = Lifecycle.Policy()
    policy.firstDelay = settings.restartDelay
    policy.maxDelay = settings.restartMaxDelay
    policy.burst = settings.startLimitBurst
    policy.burstInterval = settings.startLimitInterval
    return policy
  }

  var store: StoreWorker { records.store }
  var systemd: SystemdManager { systemdConnection.manager }

  /// Reads every settings file and logs each mistake. A tier or a workload with a mistake keeps its previous settings, and
  /// so does podd itself, which is an error.
  func reloadSettings() throws(Configuration.Failure) {
    defer {
      onStatusChange()
      announcePolicies()
    }
    let own = Result { () throws(Configuration.Failure) -> PoddSettings in try configuration.podd() }
    configuration.logMistakes()
    settings = try own.get()
    launchSlots.count = settings.launchesMax
    memory.settingsChanged()
    loopTask { await self.admitFrontUsers() }
    // A file may have been corrected, or a workload may listen in another way.
    for pod in pods.values where pod.state == .cold || pod.state == .frozen { pod.wakeOnConnect.update() }
  }

  /// The user as whom podgate runs.
  private nonisolated static let gateUser = "podctl-gate"

  /// Applies `FrontUsers=`.
  func admitFrontUsers() async {
    gateUID =
      (try? await BackgroundThread.run { () throws(Errno) in FrontUsers.uid(of: Self.gateUser) }) ?? nil
    firewall.admit(await FrontUsers.uids(settings.frontUsers))
  }

  /// Emits `SettingsChanged` when tiers or workloads are others than when this was called last. A change that was in
  /// force already, because somebody needed the file, counts too. To be called when all files have
  /// been read.
  func announcePolicies() {
    let (before, now) = (announced, configuration.policies)
    announced = now
    if let before, before != now { onSettingsChange() }
  }

  // MARK: Pods

  @discardableResult
  func add(_ record: PodRecord) -> Pod {
    if let pod = pods[record.name] {
      pod.update(record)
      return pod
    }
    let pod = Pod(record, host: self)
    pods[record.name] = pod
    return pod
  }

  /// Forgets a pod whose row is gone.
  func remove(_ pod: Pod) {
    pod.handle(.forget)
    pod.wakeOnConnect.remove()
    pods[pod.name] = nil
    figures.forget(pod.name)
    sockets.drop(pod.name)
    NSSRecords.withdraw(UserDatabaseRecord(pod: pod.name, uid: pod.record.uid))
    unlink(UsersFile.path(of: pod.name))
    DeliveredUsers(of: pod.name).forget()
    rmdir(UsersFile.directory(of: pod.name))
    // What a launch that was cancelled has made.
    _ = try? userFiles.directory(of: pod.record).removeIfEmpty()
    onStatusChange()
  }

  func pod(uid: uid_t) -> Pod? {
    pods.values.first { $0.record.uid == uid }
  }

  func announce(_ pod: Pod) {
    figures.moved(pod.name, to: pod.state, at: EventLoop.main.now())
    pod.wakeOnConnect.update()
    onChange(pod)
    onStatusChange()
  }

  /// Everything that runs is adopted: from here on a connection to a sleeping pod wakes it.
  func startWakingOnConnect() {
    wakesOnConnect = true
    for pod in pods.values {
      pod.wakeOnConnect.update()
      pod.wakeOnConnect.keepWhileStarting()
    }
  }

  /// See ``Records/write(_:_:)``.
  func write(
    _ what: String, _ body: @escaping @Sendable (PlacementStore) throws(StoreError) -> Void
  ) {
    records.write(what, body)
  }

  /// See ``Records/ask(_:)``.
  func ask<Answer: Sendable>(
    _ body: @escaping @Sendable (PlacementStore) throws(StoreError) -> Answer
  ) async throws(Refusal) -> Answer {
    try await records.ask(body)
  }

  /// Tiers of higher rank first, then by number.
  func launchOrder(_ pods: some Sequence<Pod>) -> [Pod] {
    var ranks: [String: Int] = [:]
    for tier in Set(pods.map(\.record.tier)) { ranks[tier] = configuration.policy(ofTier: tier)?.rank }
    return pods.sorted { left, right in
      let (a, b) = (ranks[left.record.tier] ?? 0, ranks[right.record.tier] ?? 0)
      return a == b ? left.name < right.name : a > b
    }
  }
}
