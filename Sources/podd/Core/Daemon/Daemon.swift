import Glibc
import HostCheck
import Linux
import PodAPI
import PodModel
import PodStore
import Systemd
import Time

/// podd from start to stop.
@LoopActor
final class Daemon {
  private static let database = "\(StateDirectory.path)/podctl.db"

  private var connection: BusConnection?
  private var host: PodHost?
  private var object: ManagerObject?
  private var notifySocket: NotifySocket?
  private var signals: [SignalWatch] = []
  private var statusLine = ""
  private let passed: [(name: String, descriptor: CInt)]
  private let startedAt = Clock.wall

  private final class SignalWatch {
    let source: EventSource
    init(_ source: consuming EventSource) { self.source = source }
  }

  init(passed: [(name: String, descriptor: CInt)]) {
    self.passed = passed
  }

  /// Why podd cannot start, in one sentence that says what to do about it.
  struct Unfit: Error {
    let message: String
    var status: CInt = 1
  }

  func start() throws(Unfit) {
    try checkHost()
    do throws(Errno) {
      try UserFiles().ensureBase()
    } catch {
      // Until somebody has corrected it, another start would fail in the same way.
      throw Unfit(message: error.description, status: Self.notConfigured)
    }
    do throws(Errno) {
      try EventLoop.main.enableWatchdog()
      // Opened now, not at the first launch, which may come after an upgrade has replaced it.
      _ = LaunchProgram.installed
      signals = [
        SignalWatch(
          try EventSource.signal(EventLoop.main, SIGTERM) { LoopActor.assumeIsolated { self.stop() } }),
        SignalWatch(
          try EventSource.signal(EventLoop.main, SIGINT) { LoopActor.assumeIsolated { self.stop() } }),
        SignalWatch(
          try EventSource.signal(EventLoop.main, SIGHUP) { LoopActor.assumeIsolated { self.reload() } }),
      ]
      notifySocket = try NotifySocket { [weak self] sender in
        self?.host?.pod(uid: sender.uid)?.notifiedReady(sender.pid)
      }
    } catch {
      throw Unfit(message: error.description)
    }
    do throws(BusError) {
      connection = try BusConnection(
        onConnected: { [weak self] in await self?.connected() },
        onLost: { [weak self] in self?.connectionLost() })
    } catch {
      throw Unfit(message: error.message)
    }
  }

  /// podd does not run where pods could not be kept apart; the reasons are doctor's findings.
  private func checkHost() throws(Unfit) {
    // Without nft no pod is launched; those that run need podd all the same.
    let fatal = HostCheck().findings(onlyVital: true).filter {
      $0.severity == .fatal && $0.id != HostCheck.firewallID
    }
    guard let first = fatal.first else { return }
    for finding in fatal {
      PodEvent.hostUnfit(check: finding.id, finding.description).log()
    }
    throw Unfit(message: first.description, status: Self.notConfigured)
  }

  private func connected() async {
    guard let connection else { return }
    do throws(BusError) {
      let systemd = try SystemdManager(bus: connection.bus)
      if let host {
        host.systemdConnection.restored(systemd)
        await reconnected(host)
      } else {
        try await firstConnection(systemd)
      }
      guard let host else { return }
      object = try ManagerObject(host: host, bus: connection.bus, startedAt: startedAt)
      host.onStatusChange = { [weak self] in self?.updateStatusLine() }
      try await connection.bus.requestNameAsync(PodBus.name)
      updateStatusLine(isReady: true)
      host.memory.startRemembering()
    } catch {
      if error.isUnreachable {
        // The connection was lost again; the next one starts over.
        Log.warning("Not ready yet: \(error.message)")
      } else {
        fail(error.message)
      }
    }
  }

  private func firstConnection(_ systemd: SystemdManager) async throws(BusError) {
    do {
      let configuration = Configuration()
      let settings = try configuration.podd()
      try DatabaseDoubt.checkFile(Self.database, DatabaseDoubt.signs())
      let store = StoreWorker(
        try PlacementStore(
          file: Self.database, host: Host.name, podDirectories: DataPlaces.host.pods))
      let host = PodHost(configuration: configuration, settings: settings, store: store, systemd: systemd)
      self.host = host
      try await host.workloadVersions.load()
      // After that: a version that an admin went back from is no mistake.
      configuration.logMistakes()
      host.announcePolicies()
      host.pressure.start()
      await host.memory.start()
      let reconciler = Reconciler(host: host)
      try await reconciler.loadPods()
      let isPristine = try await store.run { store throws(StoreError) in try store.isPristine() }
      try DatabaseDoubt.check(
        Self.database, isPristine: isPristine,
        lastGenerations: host.pods.mapValues { $0.machine.lastGeneration }, DatabaseDoubt.signs())
      host.sockets.restore(passed) { host.pods[$0] != nil }
      let begun = EventLoop.main.now()
      let outcome = try await reconciler.reconcile()
      let took = EventLoop.main.now() - begun
      reconciler.referenceAll()
      // Before the firewall's rules are loaded again: connections to a pod that is being stopped stay held.
      reconciler.resumeStops()
      host.stopUnneeded()
      host.startWakingOnConnect()
      host.alerts.start()
      await host.admitFrontUsers()
      await host.firewall.start()
      try await host.loadDataWork()
      host.report(.reconciled(pods: host.pods.count, outcome: "\(outcome)", took: took))
      reconciler.launchWanted()
      loopTask { await host.finishDataWork() }
      host.shortage.start()
    } catch let error as Configuration.Failure {
      PodEvent.settingsError(error.description, error.journalFields).log()
      fail(error.description, status: Self.notConfigured)
    } catch let error as DatabaseDoubt {
      fail(error.description, status: Self.notConfigured)
    } catch let error as StoreError {
      switch error {
      case .newerSchema, .corrupt: fail(error.description, status: Self.notConfigured)
      default: fail(error.description)
      }
    } catch {
      fail("\(error)")
    }
  }

  private func reconnected(_ host: PodHost) async {
    let reconciler = Reconciler(host: host)
    reconciler.referenceAll()
    do throws(Reconciler.Failure) {
      let outcome = try await reconciler.reconcile()
      Log.notice("The system bus is back: \(outcome).")
      host.alerts.start()
      reconciler.resumeStops()
      reconciler.launchWanted()
    } catch {
      Log.error("The system bus is back, but podd cannot compare its records with what runs: \(error)")
    }
  }

  private func connectionLost() {
    host?.systemdConnection.lost()
    host?.frontDoors.connectionLost()
    object = nil
  }

  private func reload() {
    guard let host else { return }
    do throws(Configuration.Failure) {
      try host.reloadSettings()
      Log.info("All settings files are read again.")
    } catch {
      // Its mistakes are in the journal already.
      Log.notice("podd's own settings stay as they are.")
    }
  }

  /// What `systemctl status podd` shows. `isReady` sends READY=1 in the same message, so that the line is there when
  /// `systemctl start` returns.
  private func updateStatusLine(isReady: Bool = false) {
    guard let host else { return }
    let line = Self.statusLine(pods: host.pods.count, mistakes: host.configuration.mistakes.count)
    guard isReady || line != statusLine else { return }
    statusLine = line
    Notify.send((isReady ? "READY=1\n" : "") + "STATUS=\(line)")
  }

  nonisolated static func statusLine(pods: Int, mistakes: Int) -> String {
    let text = "\(pods) pod\(pods == 1 ? "" : "s")"
    guard mistakes > 0 else { return text }
    return text + "; \(mistakes) mistake\(mistakes == 1 ? "" : "s") in settings files, see podctl doctor"
  }

  /// Pods run on: each has a scope of its own, outside podd's cgroup.
  private func stop() {
    Notify.send("STOPPING=1")
    loopTask {
      await self.host?.records.written()
      await self.host?.memoryHistory.write()
      EventLoop.main.exit(0)
    }
  }

  private func fail(_ message: String, status: CInt = 1) {
    Log.error(message)
    Notify.send("STATUS=\(message)")
    EventLoop.main.exit(status)
  }

  /// EX_CONFIG of sysexits.h: another start would fail in the same way until somebody has corrected something.
  /// podd.service names it in RestartPreventExitStatus=.
  static let notConfigured: CInt = 78
}
