import Glibc
import PodAPI
import Systemd
import Time

/// Asks polkit whether the caller of a call is allowed to make it: for each call, except where ``Grants`` remembers the
/// answer. podd is root, so without this every local user could act as root through it (facts 12).
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

  /// Checks that wait for polkit, which may wait for a person. dbus-daemon allows podd 128 calls without a reply
  /// (facts 4), and podd needs some to launch pods.
  private let checks = AsyncSemaphore(32)
  private var checksOfUsers: [UInt32: AsyncSemaphore] = [:]
  private static let checksOfOneUser = 4
  private var grants = Grants()

  /// Throws unless polkit allows `action`. As in systemd, root needs no polkit: a host whose polkit is broken can
  /// still be repaired.
  ///
  /// - Parameter subject: the user, pod or tier that the call is about, for the question to a person.
  func check(
    _ caller: Caller, action: PolkitAction, subject: String, interactive: Bool
  ) async throws(BusError) {
    if caller.uid == 0 || isGranted(caller, action) { return }
    let own = checksOfUsers[caller.uid] ?? AsyncSemaphore(Self.checksOfOneUser)
    checksOfUsers[caller.uid] = own
    await own.acquire()
    await checks.acquire()
    defer {
      checks.release()
      own.release()
      if own.isIdle { checksOfUsers[caller.uid] = nil }
    }
    // Another call may have asked meanwhile.
    if isGranted(caller, action) { return }
    // From here on: an answer may be on its way for long.
    let asked = EventLoop.main.now()
    try await ask(caller, action, action.isAskedForEachCall ? subject : "", interactive)
    grants.add(caller.sender, action, at: asked)
  }

  private func isGranted(_ caller: Caller, _ action: PolkitAction) -> Bool {
    grants.hold(caller.sender, action, at: EventLoop.main.now())
  }

  /// What polkit shows to a person whom it asks for a password.
  private static func question(_ action: PolkitAction, _ subject: String) -> String {
    let shown = subject.filter { $0.isASCII && !$0.isWhitespace && $0 != "$" }
    return switch action {
    case .provision: "Authentication is required to place the user \(shown) in a pod."
    case .deprovision: "Authentication is required to remove the user \(shown) from its pod."
    case .suspend: "Authentication is required to suspend or resume the user \(shown)."
    case .managePods: "Authentication is required to manage \(shown)."
    case .view, .metrics, .manageHost, .frontDoor: ""
    }
  }

  private func ask(
    _ caller: Caller, _ action: PolkitAction, _ subject: String, _ interactive: Bool
  ) async throws(BusError) {
    let call = try bus.newMethodCall(
      destination: "org.freedesktop.PolicyKit1", path: "/org/freedesktop/PolicyKit1/Authority",
      interface: "org.freedesktop.PolicyKit1.Authority", member: "CheckAuthorization")
    try call.openContainer(.structure, "sa{sv}")
    try call.append("system-bus-name")
    try call.append([(key: "name", value: Variant.string(caller.sender))])
    try call.closeContainer()
    try call.append(action.id)
    let question = Self.question(action, subject)
    // Only root may give a message (polkit(8)).
    let details = [("podctl.subject", subject)] + (question.isEmpty ? [] : [("polkit.message", question)])
    try call.container(.array, "{ss}") { () throws(BusError) in
      for (key, value) in subject.isEmpty ? [] : details {
        try call.container(.dictionaryEntry, "ss") { () throws(BusError) in
          try call.append(key)
          try call.append(value)
        }
      }
    }
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
