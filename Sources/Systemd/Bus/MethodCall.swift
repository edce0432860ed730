internal import CSystemd
internal import Glibc

/// A method call of another process, which must be answered once, now or later.
public final class MethodCall {
  /// In bytes. No method has a longer argument, and nothing is done with one: not copied, not logged, not kept while the
  /// call waits.
  public static let longestArgument = 255

  private let message: Message
  private var answered = false

  init(_ message: borrowing Message) {
    self.message = Message(borrowed: message.raw, longestString: Self.longestArgument)
  }

  deinit {
    // A caller must not wait for ever because some path through the code forgot to reply.
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

  /// Replies with the values that `build` appends.
  public func reply(_ build: (borrowing Message) throws(BusError) -> Void = { _ in }) {
    do throws(BusError) {
      var raw: OpaquePointer?
      try busCheck(sd_bus_message_new_method_return(message.raw, &raw), "create reply")
      guard let raw else { throw BusError(-ENOMEM, "create reply") }
      let answer = Message(owning: raw)
      try build(answer)
      answered = true
      // sd_bus_send(3) fails when the caller has gone, which is no error here.
      sd_bus_send(nil, answer.raw, nil)
    } catch {
      fail(error)
    }
  }

  /// Leaves the answer to sd-bus, which replies that there is no such method. Otherwise both would reply.
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
