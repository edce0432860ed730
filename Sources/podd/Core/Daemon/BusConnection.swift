import PodAPI
import PodModel
import Systemd
import Time

/// podd's connection to the system bus. When dbus-daemon ends, podd connects again as soon as it is back, and `onConnected`
/// makes again what belonged to the connection: the name, the object, the references on units. Pods run on meanwhile.
@LoopActor
final class BusConnection {
  private(set) var bus: Bus
  private var watches: [Watch] = []
  private let onConnected: @LoopActor () async -> Void
  private let onLost: @LoopActor () -> Void

  /// A Slot is not copyable, and an array holds copyable values only.
  private final class Watch {
    let slot: Slot
    init(_ slot: consuming Slot) { self.slot = slot }
  }

  init(
    onConnected: @escaping @LoopActor () async -> Void, onLost: @escaping @LoopActor () -> Void
  ) throws(BusError) {
    bus = try Self.open()
    self.onConnected = onConnected
    self.onLost = onLost
    try watch()
  }

  private static func open() throws(BusError) -> Bus {
    try Bus.openSystem(attachedTo: EventLoop.main, description: "podd")
  }

  private func watch() throws(BusError) {
    let local = "org.freedesktop.DBus.Local"
    watches = [
      Watch(
        try bus.match(
          sender: local, path: "/org/freedesktop/DBus/Local", interface: local, member: "Connected"
        ) {
          [weak self] _ in
          LoopActor.assumeIsolated { self?.connected() }
        }),
      Watch(
        try bus.match(
          sender: local, path: "/org/freedesktop/DBus/Local", interface: local, member: "Disconnected"
        ) {
          [weak self] _ in
          LoopActor.assumeIsolated { self?.lost() }
        }),
    ]
  }

  private func connected() {
    loopTask { await self.onConnected() }
  }

  private func lost() {
    Log.warning("The system bus is gone; pods run on, and podd connects again as soon as it is back.")
    // Not in this callback: sd-bus still uses the connection.
    loopTask {
      self.onLost()
      self.watches = []
      self.bus.close()
      await self.reopen()
    }
  }

  private func reopen() async {
    var pauses = DoublingPause(first: .milliseconds(100), longest: .seconds(10))
    while true {
      do throws(BusError) {
        bus = try Self.open()
        try watch()
        return
      } catch {
        Log.error("Cannot connect to the system bus: \(error.message)")
        await EventLoop.main.sleep(pauses.next())
      }
    }
  }
}
