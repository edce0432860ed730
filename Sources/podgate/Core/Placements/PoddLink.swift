import PodAPI
import PodModel
import Systemd
import Time

/// podgate's connection to podd, over the system bus: calls, signals, and whether podd is there. Both may go and come back.
@LoopActor
final class PoddLink {
  /// What podd tells.
  struct Handlers {
    var userChanged: @LoopActor (UserChange) -> Void
    var podStateChanged: @LoopActor (StateChange) -> Void
    /// Whatever was known may have changed: settings, or podd itself, were replaced.
    var everythingChanged: @LoopActor () -> Void
    /// Calls can be answered again.
    var appeared: @LoopActor () -> Void
  }

  private var bus: Bus?
  private var watches: [Watch] = []
  private let handlers: Handlers
  /// Whether podd has its name on the bus.
  private(set) var isPresent = false

  /// A Slot is not copyable, and an array holds copyable values only.
  private final class Watch {
    let slot: Slot
    init(_ slot: consuming Slot) { self.slot = slot }
  }

  /// As long as sd-bus waits by itself. podd answers in milliseconds, but not where a thousand new clients have every
  /// processor, or where polkit has to start first.
  private static let patience: Microseconds = .seconds(25)
  private static let driver = "org.freedesktop.DBus"
  private static let local = "org.freedesktop.DBus.Local"

  init(_ handlers: Handlers) throws(BusError) {
    self.handlers = handlers
    try connect()
  }

  // MARK: Calls

  func resolve(_ user: String) async throws(BusError) -> ResolvedUser {
    let reply = try await call(.resolveUser, UserCall(user: user))
    return try ResolvedUser(reading: reply)
  }

  func close(_ peers: [String]) async throws(BusError) {
    _ = try await call(.closeClientConnections, ClientPeers(peers: peers))
  }

  func find(_ peers: [String]) async throws(BusError) -> [String] {
    let reply = try await call(.findClientConnections, ClientPeers(peers: peers))
    return try ClientPeers(reading: reply).peers
  }

  func report(_ use: UseReport) async throws(BusError) {
    _ = try await call(.reportUse, use)
  }

  func report(_ requests: RequestsReport) async throws(BusError) {
    _ = try await call(.reportRequests, requests)
  }

  /// Does not start a podd that an administrator has stopped.
  private func call(_ method: Method, _ arguments: some CallBody) async throws(BusError) -> Message {
    guard let bus else {
      throw BusError(name: "org.freedesktop.DBus.Error.Disconnected", message: "the system bus is not there")
    }
    let message = try bus.newMethodCall(
      destination: PodBus.name, path: PodBus.path, interface: PodBus.interface, member: method.name)
    message.setAutoStart(false)
    try arguments.append(to: message)
    return try await bus.callAsync(message, timeout: Self.patience)
  }

  // MARK: Connection

  private func connect() throws(BusError) {
    let bus = try Bus.openSystem(attachedTo: EventLoop.main, description: "podgate")
    self.bus = bus
    let localPath = "/org/freedesktop/DBus/Local"
    watches = [
      Watch(
        try bus.match(sender: Self.local, path: localPath, interface: Self.local, member: "Connected") {
          [weak self] _ in
          loopTask { await self?.connected() }
        }),
      Watch(
        try bus.match(sender: Self.local, path: localPath, interface: Self.local, member: "Disconnected") {
          [weak self] _ in
          // Not in this callback: sd-bus still uses the connection.
          loopTask { await self?.reconnect() }
        }),
      Watch(
        try bus.match(
          sender: Self.driver, path: "/org/freedesktop/DBus", interface: Self.driver,
          member: "NameOwnerChanged"
        ) { [weak self] signal in
          guard let name = try? signal.readString(), name == PodBus.name, (try? signal.readString()) != nil,
            let owner = try? signal.readString()
          else { return }
          LoopActor.assumeIsolated { self?.ownerChanged(isThere: !owner.isEmpty) }
        }),
      Watch(
        try bus.match(sender: PodBus.name, path: PodBus.path, interface: PodBus.interface, member: nil) {
          [weak self] signal in
          let news = News(signal)
          LoopActor.assumeIsolated { self?.told(news) }
        }),
    ]
  }

  /// podd may have been there before, and have told what nobody heard.
  private func connected() async {
    guard let bus else { return }
    do throws(BusError) {
      let question = try bus.newMethodCall(
        destination: Self.driver, path: "/org/freedesktop/DBus", interface: Self.driver,
        member: "NameHasOwner")
      try question.append(PodBus.name)
      if try await bus.callAsync(question).readBool() { appeared() }
    } catch {
      GateLog.warning("The bus cannot be asked whether podd is there: \(error.message)")
    }
  }

  private func reconnect() async {
    GateLog.warning("The system bus is gone; requests of known users are still admitted.")
    isPresent = false
    watches = []
    bus?.close()
    bus = nil
    var pauses = DoublingPause(first: .milliseconds(100), longest: .seconds(10))
    while bus == nil {
      do throws(BusError) {
        try connect()
      } catch {
        bus = nil
        GateLog.error("Cannot connect to the system bus: \(error.message)")
        await EventLoop.main.sleep(pauses.next())
      }
    }
  }

  // MARK: Signals

  private func ownerChanged(isThere: Bool) {
    if isThere { appeared() } else { isPresent = false }
  }

  private func appeared() {
    isPresent = true
    handlers.everythingChanged()
    handlers.appeared()
  }

  /// A signal of podd, read.
  private enum News {
    case user(UserChange)
    case pod(StateChange)
    case everything
    case nothing

    init(_ signal: borrowing Message) {
      do throws(BusError) {
        switch signal.member.flatMap(Signal.init(rawValue:)) {
        case .userChanged: self = .user(try UserChange(reading: signal))
        case .podStateChanged: self = .pod(try StateChange(reading: signal))
        case .settingsChanged: self = .everything
        case .rolloutProgress, .holdPod, .releasePod, nil: self = .nothing
        }
      } catch {
        GateLog.error("A signal of podd cannot be read; everything is asked again: \(error.message)")
        self = .everything
      }
    }
  }

  private func told(_ news: News) {
    switch news {
    case .user(let change): handlers.userChanged(change)
    case .pod(let change): handlers.podStateChanged(change)
    case .everything: handlers.everythingChanged()
    case .nothing: break
    }
  }
}
