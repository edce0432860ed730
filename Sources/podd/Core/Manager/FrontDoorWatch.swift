import PodAPI
import Systemd

/// Detaches front doors that have left the bus.
@LoopActor
final class FrontDoorWatch {
  private let bus: Bus
  private let frontDoors: FrontDoors
  private var slot: Slot?

  init(bus: Bus, frontDoors: FrontDoors) {
    self.bus = bus
    self.frontDoors = frontDoors
  }

  /// Called when the first front door attaches, not before: every client that comes or goes wakes podd from then on.
  func start() throws(Refusal) {
    guard slot == nil else { return }
    do throws(BusError) {
      slot = try bus.match(
        sender: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus",
        member: "NameOwnerChanged"
      ) { [weak self] message in
        guard let name = try? message.readString(), (try? message.readString()) != nil,
          let owner = try? message.readString(), owner.isEmpty
        else { return }
        LoopActor.assumeIsolated { self?.frontDoors.detach(name) }
      }
    } catch {
      throw Refusal(.busy, "front doors cannot be watched: \(error.message)")
    }
  }

  /// Throws when the connection is not on the bus any more. The bus handles this call after the match of ``start()``, so
  /// that a connection which leaves later is reported.
  func check(_ name: String) async throws(Refusal) {
    do throws(BusError) {
      let call = try bus.newMethodCall(
        destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus", member: "NameHasOwner")
      try call.append(name)
      if try await bus.callAsync(call).readBool() { return }
    } catch {
      throw Refusal(.busy, "the bus cannot be asked about \(name): \(error.message)")
    }
    throw Refusal(.busy, "\(name) has left the bus")
  }
}
