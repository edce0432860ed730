import Systemd

/// What a caller may do, asked of polkit per verb. podd is root and must not be a way around it (facts 12).
@LoopActor
struct Polkit {
  let bus: Bus

  /// Who called, as the bus vouches for it.
  struct Caller: Sendable {
    let sender: String
    let uid: UInt32
  }

  func caller(_ sender: String) async throws(BusError) -> Caller {
    let call = try bus.newMethodCall(
      destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus", member: "GetConnectionUnixUser")
    try call.append(sender)
    let reply = try await bus.callAsync(call)
    return Caller(sender: sender, uid: try reply.readUInt32())
  }

  /// Throws AccessDenied unless polkit, or being root, allows `action`. Root is allowed without polkit, as
  /// with systemd itself: a host whose polkit is broken can still be mended.
  func check(_ caller: Caller, action: String, interactive: Bool) async throws(BusError) {
    if caller.uid == 0 { return }
    let call = try bus.newMethodCall(
      destination: "org.freedesktop.PolicyKit1", path: "/org/freedesktop/PolicyKit1/Authority",
      interface: "org.freedesktop.PolicyKit1.Authority", member: "CheckAuthorization")
    try call.openContainer(.structure, "sa{sv}")
    try call.append("system-bus-name")
    try call.append([(key: "name", value: Variant.string(caller.sender))])
    try call.closeContainer()
    try call.append(action)
    try call.openContainer(.array, "{ss}")
    try call.closeContainer()
    try call.append(UInt32(interactive ? 1 : 0))
    try call.append("")
    // A person may be typing a password: two minutes.
    let reply = try await bus.callAsync(call, timeoutUSec: interactive ? 120_000_000 : 25_000_000)
    _ = try reply.enterContainer(.structure, "bba{ss}")
    let authorized = try reply.readBool()
    let challenge = try reply.readBool()
    if authorized { return }
    if challenge && !interactive {
      throw BusError(
        name: "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
        message: "Interactive authentication required.", code: 13)
    }
    throw BusError(
      name: "org.freedesktop.DBus.Error.AccessDenied",
      message: "not permitted: run it as root or as a member of group podctl (\(action))", code: 13)
  }
}
