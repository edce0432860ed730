internal import CSystemd

/// A match, an exported object or whatever else libsystemd keeps a callback for; it ends with its owner.
public struct Slot: ~Copyable {
  private let raw: OpaquePointer
  private let handler: Unmanaged<SlotHandler>

  deinit {
    sd_bus_slot_unref(raw)
    handler.release()
  }

  static func own(
    _ raw: OpaquePointer?, _ result: CInt, _ handler: Unmanaged<SlotHandler>, _ what: String
  ) throws(BusError) -> Slot {
    guard result >= 0, let raw else {
      handler.release()
      throw BusError(result, what)
    }
    return Slot(raw: raw, handler: handler)
  }

  private init(raw: OpaquePointer, handler: Unmanaged<SlotHandler>) {
    self.raw = raw
    self.handler = handler
  }
}

final class SlotHandler {
  private let body: (borrowing Message) -> Bool

  init(_ body: @escaping (borrowing Message) -> Void) {
    self.body = { message in
      body(message)
      return false
    }
  }

  init(answering body: @escaping (borrowing Message) -> Bool) {
    self.body = body
  }

  /// Keeps the closure until it returns: it may let go of its own slot.
  static let trampoline: sd_bus_message_handler_t = { raw, data, _ in
    guard let raw, let data else { return 0 }
    let handler = Unmanaged<SlotHandler>.fromOpaque(data).takeUnretainedValue()
    return withExtendedLifetime(handler) { handler.body(Message(borrowed: raw)) ? 1 : 0 }
  }
}

/// A method call that somebody made to us, to be answered once, now or later.
public final class MethodCall {
  private let message: Message
  private var answered = false

  init(_ message: borrowing Message) {
    self.message = Message(borrowed: message.raw)
  }

  deinit {
    // A caller must never wait for ever because a path through the code forgot to answer.
    if !answered {
      fail(BusError(name: "org.freedesktop.DBus.Error.Failed", message: "the request was dropped"))
    }
  }

  public var sender: String { message.sender ?? "" }
  public var interface: String { message.interface ?? "" }
  public var member: String { message.member ?? "" }
  public var signature: String { message.signature }
  public var allowsInteractiveAuthorization: Bool { message.allowsInteractiveAuthorization }

  /// Reads the arguments.
  public func arguments<Result>(
    _ body: (borrowing Message) throws(BusError) -> Result
  ) throws(BusError) -> Result {
    try body(message)
  }

  /// Answers with what `build` appends.
  public func reply(_ build: (borrowing Message) throws(BusError) -> Void = { _ in }) {
    do throws(BusError) {
      var raw: OpaquePointer?
      try busCheck(sd_bus_message_new_method_return(message.raw, &raw), "create reply")
      guard let raw else { throw BusError(-12, "create reply") }
      let answer = Message(owning: raw)
      try build(answer)
      answered = true
      // A caller that is gone by now is no error of ours.
      sd_bus_send(nil, answer.raw, nil)
    } catch {
      fail(error)
    }
  }

  /// Leaves the answer to sd-bus, which says that there is no such method. Without this both would answer.
  func disown() { answered = true }

  public func fail(_ error: BusError) {
    guard !answered else { return }
    answered = true
    error.name.withCString { name in
      error.message.withCString { text in
        var raw = sd_bus_error(name: name, message: text, _need_free: 0)
        _ = sd_bus_reply_method_error(message.raw, &raw)
      }
    }
  }
}
