import Glibc
import PodAPI
import Systemd
import Time

/// Asks polkit for each call whether its caller is allowed to make it. podd is root, so without this every local user
/// could act as root through it (facts 12).
@LoopActor
final class Polkit {
  let bus: Bus
  /// By unique name. A connection's uid never changes, and the bus never reuses a unique name.
  private var uids: [String: UInt32] = [:]
  private static let uidsKept = 256

  init(bus: Bus) { self.bus = bus }

  /// The caller by the bus daemon's account, which a client cannot forge.
  struct Caller: Sendable {
    let sender: String
    let uid: UInt32
  }

  func caller(_ sender: String) async throws(BusError) -> Caller {
    if let uid = uids[sender] { return Caller(sender: sender, uid: uid) }
    let call = try bus.newMethodCall(
      destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus", member: "GetConnectionUnixUser")
    try call.append(sender)
    let reply = try await bus.callAsync(call)
    let uid = try reply.readUInt32()
    if uids.count >= Self.uidsKept { uids = [:] }
    uids[sender] = uid
    return Caller(sender: sender, uid: uid)
  }

  /// Throws unless polkit allows `action`. As in systemd, root needs no polkit: a host whose polkit is broken can
  /// still be repaired.
  func check(_ caller: Caller, action: PolkitAction, interactive: Bool) async throws(BusError) {
    if caller.uid == 0 { return }
    let call = try bus.newMethodCall(
      destination: "org.freedesktop.PolicyKit1", path: "/org/freedesktop/PolicyKit1/Authority",
      interface: "org.freedesktop.PolicyKit1.Authority", member: "CheckAuthorization")
    try call.openContainer(.structure, "sa{sv}")
    try call.append("system-bus-name")
    try call.append([(key: "name", value: Variant.string(caller.sender))])
    try call.closeContainer()
    try call.append(action.id)
    try call.openContainer(.array, "{ss}")
    try call.closeContainer()
    try call.append(UInt32(interactive ? 1 : 0))
    try call.append("")
    // Two minutes are for a person who types a password.
    let reply = try await bus.callAsync(call, timeout: interactive ? .minutes(2) : .seconds(25))
    _ = try reply.enterContainer(.structure, "bba{ss}")
    let authorized = try reply.readBool()
    let challenge = try reply.readBool()
    if authorized { return }
    if challenge && !interactive {
      throw BusError(
        name: "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
        message: "Interactive authentication required.", code: EACCES)
    }
    throw BusError(
      name: "org.freedesktop.DBus.Error.AccessDenied",
      message: "not permitted: run it as root or as a member of group podctl (\(action.id))", code: EACCES)
  }
}
