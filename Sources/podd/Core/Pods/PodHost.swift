import Glibc
import PodAPI
import PodModel
import PodStore
import Systemd

/// All pods of this host, and what they share.
@LoopActor
final class PodHost {
  let configuration: Configuration
  let store: StoreWorker
  let sockets = ListeningSockets()
  let sliceOOMs = SliceOOMs()
  /// Calls about one user come one after the other: the first may have to take back what a second was told.
  let userTurns = KeyedLock()
  let userFiles = UserFiles()
  private(set) lazy var firewall = Firewall(host: self)
  let frontDoors = FrontDoors()
  private(set) lazy var workloadVersions = WorkloadVersions(host: self)
  private(set) lazy var rollouts = Rollouts(host: self)
  private(set) lazy var alerts = Alerts(host: self)
  private(set) lazy var shortage = ShortageGuard(host: self)
  private(set) lazy var pressure = PressureWatch(self)
  private(set) lazy var memory = MemoryWatch(self)
  private(set) lazy var memoryHistory = MemoryHistory(host: self)
  private(set) lazy var usage = Usage(host: self)
  private(set) var settings: PoddSettings
  /// LaunchesMax= of podd.conf(5).
  let launchSlots: AsyncSemaphore
  private(set) var pods: [PodName: Pod] = [:]
  private(set) var systemd: SystemdManager
  /// Called for every change of a pod's state.
  var onChange: @LoopActor (Pod) -> Void = { _ in }
  /// Not before all that runs has been taken over: a pod must not be launched beside itself.
  private(set) var doorsAreOpen = false
  private var byUID: [uid_t: PodName] = [:]
  private var flushTimer: EventSource?
  private var busIsAway = false
  private var waitingForBus: [UnsafeContinuation<Void, Never>] = []

  init(configuration: Configuration, settings: PoddSettings, store: StoreWorker, systemd: SystemdManager) {
    self.configuration = configuration
    self.settings = settings
    self.store = store
    self.systemd = systemd
    launchSlots = AsyncSemaphore(settings.launchesMax)
  }

  var launcher: Launcher { Launcher(systemd: systemd, sockets: sockets) }

  var restartPolicy: Lifecycle.Policy {
    var policy = Lifecycle.Policy()
    policy.firstDelay = settings.restartUSec
    policy.maxDelay = settings.restartMaxDelayUSec
    policy.burst = settings.startLimitBurst
    policy.burstInterval = settings.startLimitIntervalUSec
    return policy
  }

  /// After the bus came back: PID 1 is spoken to over the new connection.
  func reconnected(_ systemd: SystemdManager) {
    self.systemd = systemd
    busIsAway = false
    let waiting = waitingForBus
    waitingForBus = []
    for continuation in waiting { continuation.resume() }
  }

  func connectionLost() {
    busIsAway = true
    systemd.connectionLost()
  }

  /// What earlier podds left behind.
  let strayScopes = StrayScopes()

  /// Returns at once while the bus is there.
  func busConnected() async {
    if busIsAway { await withUnsafeContinuation { waitingForBus.append($0) } }
  }

  func reloadSettings() throws(Configuration.Failure) {
    settings = try configuration.podd()
    launchSlots.count = settings.launchesMax
    memory.settingsChanged()
    // A file that did not parse may have been mended, or a workload listen in another way.
    for pod in pods.values where pod.state == .cold || pod.state == .frozen { pod.wakeOnConnect.update() }
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
    byUID[record.uid] = record.name
    return pod
  }

  /// Forgets a pod whose row is gone.
  func remove(_ pod: Pod) {
    pod.forget()
    pod.wakeOnConnect.remove()
    pods[pod.name] = nil
    byUID[pod.record.uid] = nil
    sockets.drop(pod.name)
    NSSRecords.withdraw(UserDatabaseRecord(pod: pod.name, uid: pod.record.uid))
    unlink(UsersFile.path(of: pod.name))
    DeliveredUsers.forget(pod.name)
    rmdir(UsersFile.directory(of: pod.name))
    rmdir(UserFiles.directory(of: pod.name))
  }

  func pod(uid: uid_t) -> Pod? {
    byUID[uid].flatMap { pods[$0] }
  }

  func announce(_ pod: Pod) {
    pod.wakeOnConnect.update()
    onChange(pod)
  }

  /// Once it is known what runs: from here on who connects to a pod that sleeps wakes it.
  func openDoors() {
    doorsAreOpen = true
    for pod in pods.values {
      pod.wakeOnConnect.update()
      pod.wakeOnConnect.keepWhileStarting()
    }
  }

  /// Writes something that nobody waits for, before everything that is asked of the store later; what fails
  /// is said once, here.
  func write(
    _ what: String, _ body: @escaping @Sendable (PlacementStore) throws(StoreError) -> Void
  ) {
    store.submit(body) { error in Log.error("Cannot record \(what): \(error)") }
    flushSoon()
  }

  /// Gives what nobody waits for the time to go with what somebody waits for: a start makes five records, and
  /// each wait for the disk costs as much as half the start.
  private func flushSoon() {
    guard flushTimer == nil else { return }
    do throws(Errno) {
      flushTimer = try EventSource.timer(EventLoop.main, after: 20_000, accuracy: 5_000) { [weak self] in
        LoopActor.assumeIsolated {
          guard let self else { return }
          self.flushTimer = nil
          if !self.store.flush() { self.flushSoon() }
        }
      }
    } catch {
      store.flush()
    }
  }

  /// Asks the store for a caller who is told why when it cannot answer.
  func ask<Answer: Sendable>(
    _ body: @escaping @Sendable (PlacementStore) throws(StoreError) -> Answer
  ) async throws(Refusal) -> Answer {
    do throws(StoreError) {
      return try await store.run(body)
    } catch {
      throw Refusal(error)
    }
  }

  /// Returns when everything that was written is on the disk, or could not be.
  func recordsWritten() async {
    try? await store.run { _ throws(StoreError) in }
  }

  /// Tiers of higher rank first, then by number.
  func launchOrder(_ pods: some Sequence<Pod>) -> [Pod] {
    var ranks: [String: Int] = [:]
    for name in configuration.tierNames() { ranks[name] = (try? configuration.tier(name))?.tier.rank }
    return pods.sorted { left, right in
      let (a, b) = (ranks[left.record.tier] ?? 0, ranks[right.record.tier] ?? 0)
      return a == b ? left.name < right.name : a > b
    }
  }
}
