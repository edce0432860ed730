internal import CSystemd

/// A match, an exported object, or anything else for which libsystemd keeps a callback; it ends with its
/// owner.
public struct Slot: ~Copyable {
  private let raw: OpaquePointer
  private let handler: Unmanaged<SlotHandler>
  /// As of its bus.
  private let isOfLoop: Bool

  deinit {
    nonisolated(unsafe) let (raw, handler) = (raw, handler)
    EventLoop.release(isOfLoop: isOfLoop) {
      sd_bus_slot_unref(raw)
      handler.release()
    }
  }

  static func own(
    _ raw: OpaquePointer?, _ isOfLoop: Bool, _ result: CInt, _ handler: Unmanaged<SlotHandler>, _ what: String
  ) throws(BusError) -> Slot {
    guard result >= 0, let raw else {
      handler.release()
      throw BusError(result, what)
    }
    return Slot(raw: raw, handler: handler, isOfLoop: isOfLoop)
  }

  private init(raw: OpaquePointer, handler: Unmanaged<SlotHandler>, isOfLoop: Bool) {
    self.raw = raw
    self.handler = handler
    self.isOfLoop = isOfLoop
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

  /// Retains the closure until it returns, because it may release its own slot.
  static let trampoline: sd_bus_message_handler_t = { raw, data, _ in
    guard let raw, let data else { return 0 }
    let handler = Unmanaged<SlotHandler>.fromOpaque(data).takeUnretainedValue()
    return withExtendedLifetime(handler) { handler.body(Message(borrowed: raw)) ? 1 : 0 }
  }
}
