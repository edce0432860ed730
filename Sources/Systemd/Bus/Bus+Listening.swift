internal import CSystemd
internal import Glibc
public import Time

extension Bus {
  /// As `call`, but messages that arrive meanwhile are dispatched to their matches at once, not after the
  /// reply. Not for a bus that is attached to a loop.
  public func callListening(
    _ message: borrowing Message, timeout: Microseconds? = nil
  ) throws(BusError) -> Message {
    let what = "call \(message.member ?? "")"
    let answer = Answer()
    var slot: OpaquePointer?
    // Unretained: the slot, with which the callback ends, is gone before `answer`.
    try busCheck(
      sd_bus_call_async(
        raw, &slot, message.raw,
        { reply, data, _ in
          guard let reply, let data else { return 0 }
          Unmanaged<Answer>.fromOpaque(data).takeUnretainedValue().raw = sd_bus_message_ref(reply)
          return 1
        }, Unmanaged.passUnretained(answer).toOpaque(), timeout?.count ?? 0), what)
    defer {
      sd_bus_slot_unref(slot)
      withExtendedLifetime(answer) {}
    }
    while true {
      if let raw = answer.raw {
        let reply = Message(owning: raw)
        if let error = sd_bus_message_get_error(raw) { throw BusError(error.pointee, -EIO, what) }
        return reply
      }
      guard try busCheck(sd_bus_process(raw, nil), what) == 0 else { continue }
      let result = sd_bus_wait(raw, UInt64.max)
      if result != -EINTR { try busCheck(result, what) }
    }
  }

  private final class Answer {
    var raw: OpaquePointer?
  }
}
