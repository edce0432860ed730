internal import CSystemd
internal import Glibc
public import Time

/// A connection to a message bus. It belongs to one thread for its whole life (facts 25).
public final class Bus {
  let raw: OpaquePointer
  /// Whether it belongs to the loop's thread. Another one belongs to the thread that calls and waits.
  private let isOfLoop: Bool
  /// Calls that wait for their reply. They are kept here, because sd-bus forgets them when this side closes
  /// the connection.
  private var waiting: [ObjectIdentifier: Pending] = [:]

  private init(_ raw: OpaquePointer, isOfLoop: Bool) {
    self.raw = raw
    self.isOfLoop = isOfLoop
  }

  deinit {
    nonisolated(unsafe) let raw = raw
    // Not flush_close_unref, because a dead peer must not block the loop.
    EventLoop.release(isOfLoop: isOfLoop) { sd_bus_close_unref(raw) }
  }

  /// The system bus, for a program that calls and waits.
  public static func openSystem() throws(BusError) -> Bus {
    var raw: OpaquePointer?
    try busCheck(sd_bus_open_system(&raw), "connect to the system bus")
    return try own(raw)
  }

  /// The system bus of another host through ssh and systemd-stdio-bridge, as `systemctl -H` does.
  public static func openSystemRemote(host: String) throws(BusError) -> Bus {
    var raw: OpaquePointer?
    try busCheck(sd_bus_open_system_remote(&raw, host), "connect to \(host)")
    return try own(raw)
  }

  /// The system bus, attached to the loop. Returns before it is connected and waits for the bus's socket
  /// to appear, so that a restart of the bus needs no polling (sd_bus_set_watch_bind(3)).
  public static func openSystem(attachedTo loop: EventLoop, description: String) throws(BusError) -> Bus {
    try open(systemAddress(), attachedTo: loop, description: description)
  }

  static func open(
    _ address: String, attachedTo loop: EventLoop, description: String
  ) throws(BusError) -> Bus {
    var created: OpaquePointer?
    try busCheck(sd_bus_new(&created), "create bus")
    let bus = try own(created, isOfLoop: true)
    try busCheck(sd_bus_set_description(bus.raw, description), "describe bus")
    try busCheck(sd_bus_set_address(bus.raw, address), "set bus address")
    try busCheck(sd_bus_set_bus_client(bus.raw, 1), "set bus client")
    // The bus then delivers no message with descriptors: nobody can fill podd's table, or have podd close what he likes.
    try busCheck(sd_bus_negotiate_fds(bus.raw, 0), "refuse descriptors")
    try busCheck(sd_bus_set_watch_bind(bus.raw, 1), "watch bus socket")
    try busCheck(sd_bus_set_connected_signal(bus.raw, 1), "ask for connected signal")
    try busCheck(sd_bus_set_method_call_timeout(bus.raw, Microseconds.minutes(1).count), "set call timeout")
    try busCheck(sd_bus_start(bus.raw), "start bus")
    try busCheck(sd_bus_attach_event(bus.raw, loop.event, 0), "attach bus")
    return bus
  }

  private static func systemAddress() -> String {
    guard let value = getenvString("DBUS_SYSTEM_BUS_ADDRESS"), !value.isEmpty else {
      return "unix:path=/run/dbus/system_bus_socket"
    }
    return value
  }

  private static func own(_ raw: OpaquePointer?, isOfLoop: Bool = false) throws(BusError) -> Bus {
    guard let raw else { throw BusError(-ENOMEM, "connect to the system bus") }
    return Bus(raw, isOfLoop: isOfLoop)
  }

  /// Takes the connection off the loop and closes it; pending calls end with an error.
  public func close() {
    sd_bus_detach_event(raw)
    sd_bus_close(raw)
    let abandoned = waiting.values
    waiting = [:]
    for call in abandoned {
      call.continuation.resume(returning: Reply(raw: nil, result: -ECONNRESET))
    }
  }

  // MARK: Calls

  public func newMethodCall(
    destination: String, path: String, interface: String, member: String
  ) throws(BusError) -> Message {
    var message: OpaquePointer?
    try busCheck(
      sd_bus_message_new_method_call(raw, &message, destination, path, interface, member),
      "create call \(member)")
    guard let message else { throw BusError(-ENOMEM, "create call \(member)") }
    return Message(owning: message)
  }

  public func newSignal(path: String, interface: String, member: String) throws(BusError) -> Message {
    var message: OpaquePointer?
    try busCheck(sd_bus_message_new_signal(raw, &message, path, interface, member), "create signal \(member)")
    guard let message else { throw BusError(-ENOMEM, "create signal \(member)") }
    return Message(owning: message)
  }

  /// Sends without waiting for a reply.
  public func send(_ message: consuming Message) throws(BusError) {
    try busCheck(sd_bus_send(raw, message.raw, nil), "send")
  }

  /// Calls and blocks until the reply.
  ///
  /// - Parameter timeout: infinite for none, nil for the connection's default.
  public func call(_ message: borrowing Message, timeout: Microseconds? = nil) throws(BusError) -> Message {
    var error = sd_bus_error()
    var reply: OpaquePointer?
    let result = sd_bus_call(raw, message.raw, timeout?.count ?? 0, &error, &reply)
    defer { sd_bus_error_free(&error) }
    guard result >= 0, let reply else { throw BusError(error, result, "call \(message.member ?? "")") }
    return Message(owning: reply)
  }

  /// Calls and suspends until the reply. Throws for an error reply, a timeout, and a connection that ends.
  public func callAsync(_ message: consuming Message, timeout: Microseconds? = nil) async throws(BusError)
    -> Message
  {
    let member = message.member ?? ""
    let call = message.release()
    let reply: Reply = await withUnsafeContinuation { continuation in
      let pending = Pending(continuation, self)
      // Unretained: `waiting` keeps it as long as sd-bus may call back.
      let result = sd_bus_call_async(
        raw, nil, call,
        { reply, data, _ in
          guard let data, let reply else { return 0 }
          Unmanaged<Pending>.fromOpaque(data).takeUnretainedValue().answered(reply)
          return 1
        }, Unmanaged.passUnretained(pending).toOpaque(), timeout?.count ?? 0)
      sd_bus_message_unref(call)
      if result < 0 {
        continuation.resume(returning: Reply(raw: nil, result: result))
      } else {
        waiting[ObjectIdentifier(pending)] = pending
      }
    }
    guard let raw = reply.raw else { throw BusError(reply.result, "call \(member)") }
    let answer = Message(owning: raw)
    if let error = sd_bus_message_get_error(raw) {
      throw BusError(error.pointee, -EIO, "call \(member)")
    }
    return answer
  }

  /// @unchecked: the callback creates it on the loop's thread, and the waiting caller uses it there.
  private struct Reply: @unchecked Sendable {
    let raw: OpaquePointer?
    let result: CInt
  }

  private final class Pending {
    let continuation: UnsafeContinuation<Reply, Never>
    /// The caller is suspended in a method of the bus, which keeps the bus alive.
    private unowned let bus: Bus

    init(_ continuation: UnsafeContinuation<Reply, Never>, _ bus: Bus) {
      self.continuation = continuation
      self.bus = bus
    }

    func answered(_ reply: OpaquePointer) {
      guard bus.waiting.removeValue(forKey: ObjectIdentifier(self)) != nil else { return }
      continuation.resume(returning: Reply(raw: sd_bus_message_ref(reply), result: 0))
    }
  }

  // MARK: Names

  /// Asks for a well-known name; throws when another process owns it.
  public func requestNameAsync(_ name: String) async throws(BusError) {
    // D-Bus specification, "RequestName".
    let doNotQueue: UInt32 = 4
    let (isPrimaryOwner, isOwnerAlready): (UInt32, UInt32) = (1, 4)
    let call = try newMethodCall(
      destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus", member: "RequestName")
    try call.append(name)
    try call.append(doNotQueue)
    let answer = try await callAsync(call)
    let code = try answer.readUInt32()
    guard code == isPrimaryOwner || code == isOwnerAlready else {
      throw BusError(
        name: "org.freedesktop.DBus.Error.NameHasOwner",
        message: "the bus name \(name) is owned by another process", code: EEXIST)
    }
  }

  // MARK: Matches and objects

  /// Calls `handler` for every signal that matches; nil matches all. Installed without waiting for the bus.
  public func match(
    sender: String?, path: String?, interface: String?, member: String?,
    _ handler: @escaping (borrowing Message) -> Void
  ) throws(BusError) -> Slot {
    let box = Unmanaged.passRetained(SlotHandler(handler))
    var slot: OpaquePointer?
    let result = sd_bus_match_signal_async(
      raw, &slot, sender, path, interface, member, SlotHandler.trampoline, nil, box.toOpaque())
    return try Slot.own(slot, isOfLoop, result, box, "match \(member ?? "")")
  }

  /// Calls `handler` for every message to an object path. It returns true when it has handled the call.
  public func addObject(
    path: String, _ handler: @escaping (MethodCall) -> Bool
  ) throws(BusError) -> Slot {
    let box = Unmanaged.passRetained(
      SlotHandler(answering: { message in
        let call = MethodCall(message)
        if handler(call) { return true }
        call.disown()
        return false
      }))
    var slot: OpaquePointer?
    let result = sd_bus_add_object(raw, &slot, path, SlotHandler.trampoline, box.toOpaque())
    return try Slot.own(slot, isOfLoop, result, box, "export \(path)")
  }
}
