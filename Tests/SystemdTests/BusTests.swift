import LoopThread
import Systemd
import Testing
import Time

/// Two connections to a bus of the test's own, both on the loop, as podd and its clients share one.
@Suite(.timeLimit(.minutes(10))) struct BusTests {
  static let name = "org.podctl1.Test"
  static let path = "/org/podctl1/test"

  /// Slots and whatever else must live as long as a test.
  @LoopActor private final class Server {
    let bus: Bus
    private var slots: [SlotBox] = []

    init(_ daemon: BusDaemon, _ handler: @escaping @LoopActor (MethodCall) -> Bool) async throws {
      bus = try daemon.connect("server")
      slots.append(
        SlotBox(
          try bus.addObject(path: BusTests.path) { call in
            LoopActor.assumeIsolated { handler(call) }
          }))
      try await bus.requestNameAsync(BusTests.name)
    }
  }

  @LoopActor private static func call(
    _ bus: Bus, _ member: String = "Do", _ build: (borrowing Message) throws(BusError) -> Void = { _ in }
  ) throws(BusError) -> Message {
    let message = try bus.newMethodCall(
      destination: name, path: path, interface: "org.podctl1.Test", member: member)
    try build(message)
    return message
  }

  /// The error that a call ends with; nil when it is answered.
  @LoopActor private static func failure(
    _ bus: Bus, timeout: Microseconds? = nil, _ build: (borrowing Message) throws(BusError) -> Void = { _ in }
  ) async -> BusError? {
    do throws(BusError) {
      _ = try await bus.callAsync(try call(bus, "Do", build), timeout: timeout)
      return nil
    } catch {
      return error
    }
  }

  @LoopActor private static func busID(_ bus: Bus) async throws(BusError) -> String {
    let call = try bus.newMethodCall(
      destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus",
      member: "GetId")
    return try await bus.callAsync(call).readString()
  }

  // MARK: Calls

  @Test func aCallIsAnswered() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let server = try await Server(daemon) { call in
        #expect(call.interface == "org.podctl1.Test")
        #expect(call.member == "Do")
        #expect(call.signature == "s")
        #expect(call.sender.hasPrefix(":1."))
        let text = try? call.arguments { message throws(BusError) in try message.readString() }
        call.reply { message throws(BusError) in try message.append("hello " + (text ?? "?")) }
        return true
      }
      let client = try daemon.connect("client")
      let reply = try await client.callAsync(
        try Self.call(client) { message throws(BusError) in try message.append("you") })
      #expect(try reply.readString() == "hello you")
      withExtendedLifetime(server) {}
    }
  }

  @Test func aCallCanBeAnsweredLater() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let calls = Mailbox<CallBox>()
      let server = try await Server(daemon) { call in
        calls.put(CallBox(call))
        return true
      }
      let client = try daemon.connect("client")
      loopTask {
        let first = await calls.next()
        let second = await calls.next()
        // In the other order than they came.
        second.call?.reply { message throws(BusError) in try message.append(second.call?.member ?? "") }
        first.call?.reply { message throws(BusError) in try message.append(first.call?.member ?? "") }
      }
      let answers = Mailbox<String>()
      for member in ["One", "Two"] {
        loopTask { answers.put((try? await Self.answer(client, member)) ?? "failed") }
      }
      #expect(await answers.next() == "Two")
      #expect(await answers.next() == "One")
      withExtendedLifetime(server) {}
    }
  }

  @LoopActor private static func answer(_ bus: Bus, _ member: String) async throws(BusError) -> String {
    try await bus.callAsync(try call(bus, member)).readString()
  }

  @Test(arguments: [(255, true), (256, false), (1 << 20, false)])
  func anArgumentLongerThanAnyValidOneIsNotRead(length: Int, isRead: Bool) async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let server = try await Server(daemon) { call in
        do throws(BusError) {
          try call.arguments { message throws(BusError) in _ = try message.readString() }
          call.reply()
        } catch {
          call.fail(error)
        }
        return true
      }
      let client = try daemon.connect("client")
      let error = await Self.failure(client) { message throws(BusError) in
        try message.append(String(repeating: "a", count: length))
      }
      #expect(error?.name == (isRead ? nil : "org.freedesktop.DBus.Error.InvalidArgs"))
      withExtendedLifetime(server) {}
    }
  }

  @Test func aCallThatIsDroppedIsAnsweredWithAnError() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let calls = Mailbox<CallBox>()
      let server = try await Server(daemon) { call in
        calls.put(CallBox(call))
        return true
      }
      let client = try daemon.connect("client")
      loopTask { await calls.next().call = nil }
      let error = await Self.failure(client)
      #expect(error?.name == "org.freedesktop.DBus.Error.Failed")
      #expect(error?.message == "the request was dropped")
      withExtendedLifetime(server) {}
    }
  }

  @Test func anErrorKeepsItsNameAndItsWords() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let server = try await Server(daemon) { call in
        call.fail(BusError(name: "org.podctl1.Error.NoSuchTier", message: "there is no tier gold"))
        // The first answer counts.
        call.reply()
        return true
      }
      let client = try daemon.connect("client")
      let error = await Self.failure(client)
      #expect(error?.name == "org.podctl1.Error.NoSuchTier")
      #expect(error?.message == "there is no tier gold")
      #expect(error?.isUnreachable == false)
      withExtendedLifetime(server) {}
    }
  }

  @Test func whatNobodyHandlesIsAnUnknownMethod() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let server = try await Server(daemon) { _ in false }
      let client = try daemon.connect("client")
      let error = await Self.failure(client)
      #expect(error?.name == "org.freedesktop.DBus.Error.UnknownMethod")
      withExtendedLifetime(server) {}
    }
  }

  @Test func aNameThatNobodyOwnsIsUnreachable() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let client = try daemon.connect("client")
      let error = await Self.failure(client)
      #expect(error?.isUnreachable == true)
    }
  }

  @Test func aCallThatIsNotAnsweredInTimeEnds() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let calls = Mailbox<CallBox>()
      let server = try await Server(daemon) { call in
        calls.put(CallBox(call))
        return true
      }
      let client = try daemon.connect("client")
      let error = await Self.failure(client, timeout: .milliseconds(10))
      #expect(error?.isUnreachable == true)
      withExtendedLifetime((server, calls)) {}
    }
  }

  @Test func aNameHasOneOwner() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let server = try await Server(daemon) { _ in false }
      // Asking again for what one has is no error.
      try await server.bus.requestNameAsync(Self.name)
      let other = try daemon.connect("other")
      let error = await #expect(throws: BusError.self) { try await other.requestNameAsync(Self.name) }
      #expect(error?.message.contains(Self.name) == true)
      withExtendedLifetime(server) {}
    }
  }

  // MARK: Values

  @Test func everyTypeSurvivesTheBus() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let server = try await Server(daemon) { call in
        call.reply { reply throws(BusError) in
          try call.arguments { message throws(BusError) in
            #expect(message.signature == "sbqutixdayas")
            try reply.append(try message.readString())
            try reply.append(try message.readBool())
            try reply.append(try message.readUInt16())
            try reply.append(try message.readUInt32())
            try reply.append(try message.readUInt64())
            try reply.append(try message.readInt32())
            try reply.append(int64: try message.readInt64())
            try reply.append(try message.readDouble())
            try reply.append(bytes: try message.readBytes())
            try reply.openContainer(.array, "s")
            try message.readArray(of: "s") { () throws(BusError) in
              try reply.append(try message.readString())
            }
            try reply.closeContainer()
          }
        }
        return true
      }
      let client = try daemon.connect("client")
      let reply = try await client.callAsync(
        try Self.call(client) { message throws(BusError) in
          try message.append("grüße 🦊")
          try message.append(true)
          try message.append(UInt16.max)
          try message.append(UInt32.max)
          try message.append(UInt64.max)
          try message.append(Int32.min)
          try message.append(int64: Int64.min)
          try message.append(-0.5)
          try message.append(bytes: [0, 255, 10])
          try message.container(.array, "s") { () throws(BusError) in
            try message.append("a")
            try message.append("")
          }
        })
      #expect(try reply.readString() == "grüße 🦊")
      #expect(try reply.readBool())
      #expect(try reply.readUInt16() == .max)
      #expect(try reply.readUInt32() == .max)
      #expect(try reply.readUInt64() == .max)
      #expect(try reply.readInt32() == .min)
      #expect(try reply.readInt64() == .min)
      #expect(try reply.readDouble() == -0.5)
      #expect(try reply.readBytes() == [0, 255, 10])
      var texts: [String] = []
      try reply.readArray(of: "s") { () throws(BusError) in texts.append(try reply.readString()) }
      #expect(texts == ["a", ""])
      // Nothing is left.
      #expect(throws: BusError.self) { _ = try reply.readString() }
      withExtendedLifetime(server) {}
    }
  }

  static let values: [Variant] = [
    .string(""), .bool(false), .uint(.max), .int(.min), .double(1.5), .array([]),
    .array([.string("a"), .string("b")]), .array([.uint(1), .string("x"), .array([.bool(true)])]),
    .dictionary([]), .dictionary([("b", .uint(1)), ("a", .dictionary([("c", .string("d"))]))]),
  ]

  @Test func variantsSurviveTheBus() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let server = try await Server(daemon) { call in
        call.reply { reply throws(BusError) in
          try reply.append(
            try call.arguments { message throws(BusError) in try message.readVariantDictionary() })
        }
        return true
      }
      let client = try daemon.connect("client")
      let sent = Self.values.enumerated().map { (key: "k\($0)", value: $1) }
      let reply = try await client.callAsync(
        try Self.call(client) { message throws(BusError) in try message.append(sent) })
      #expect(Variant.dictionary(try reply.readVariantDictionary()) == .dictionary(sent))
      withExtendedLifetime(server) {}
    }
  }

  @Test func aValueNestedTooDeepIsRefused() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let server = try await Server(daemon) { call in
        call.reply { reply throws(BusError) in
          _ = try call.arguments { message throws(BusError) in try message.readVariantDictionary() }
        }
        return true
      }
      let client = try daemon.connect("client")
      var value = Variant.string("core")
      for _ in 0..<20 { value = .array([value, .uint(0)]) }
      let nested = value
      let error = await Self.failure(client) { message throws(BusError) in try message.append([("k", nested)])
      }
      #expect(error?.name == "org.freedesktop.DBus.Error.InvalidArgs")
      withExtendedLifetime(server) {}
    }
  }

  @Test func readingAnotherTypeThanWasSentIsAnError() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let server = try await Server(daemon) { call in
        call.reply { reply throws(BusError) in
          try call.arguments { message throws(BusError) in try reply.append(try message.readUInt32()) }
        }
        return true
      }
      let client = try daemon.connect("client")
      let error = await Self.failure(client) { message throws(BusError) in try message.append("text") }
      #expect(error != nil)
      withExtendedLifetime(server) {}
    }
  }

  // MARK: Signals

  @Test func aSignalReachesThoseWhoAskedForIt() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let server = try daemon.connect("server")
      let client = try daemon.connect("client")
      let heard = Mailbox<String>()
      let slot = SlotBox(
        try client.match(sender: nil, path: Self.path, interface: "org.podctl1.Test", member: "Changed") {
          message in
          LoopActor.assumeIsolated { heard.put((try? message.readString()) ?? "?") }
        })
      // The bus deals with one connection's messages in order: once this is answered, the match stands.
      _ = try await Self.busID(client)
      for (member, text) in [("Other", "not this"), ("Changed", "this")] {
        let signal = try server.newSignal(path: Self.path, interface: "org.podctl1.Test", member: member)
        try signal.append(text)
        try server.send(signal)
      }
      #expect(await heard.next() == "this")

      slot.slot = nil
      _ = try await Self.busID(client)
      let signal = try server.newSignal(path: Self.path, interface: "org.podctl1.Test", member: "Changed")
      try signal.append("too late")
      try server.send(signal)
      _ = try await Self.busID(server)
      _ = try await Self.busID(client)
      #expect(heard.pending.isEmpty)
    }
  }

  // MARK: The end of the bus

  @LoopActor private static func watch(_ bus: Bus, _ member: String, _ mailbox: Mailbox<String>) throws
    -> SlotBox
  {
    let local = "org.freedesktop.DBus.Local"
    return SlotBox(
      try bus.match(sender: local, path: "/org/freedesktop/DBus/Local", interface: local, member: member) {
        _ in
        LoopActor.assumeIsolated { mailbox.put(member) }
      })
  }

  @Test func aBusThatDiesIsNoticedAndJoinedAgainWhenItIsBack() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let calls = Mailbox<CallBox>()
      let server = try await Server(daemon) { call in
        calls.put(CallBox(call))
        return true
      }
      let client = try daemon.connect("client")
      let state = Mailbox<String>()
      var slots = [try Self.watch(client, "Connected", state), try Self.watch(client, "Disconnected", state)]
      #expect(await state.next() == "Connected")

      let answers = Mailbox<Bool>()
      loopTask {
        do throws(BusError) {
          _ = try await client.callAsync(try Self.call(client))
          answers.put(false)
        } catch {
          answers.put(error.isUnreachable)
        }
      }
      let pending = await calls.next()
      daemon.kill()
      // Who waits for an answer gets an error, and it says that a later try may help.
      #expect(await answers.next())
      #expect(await state.next() == "Disconnected")
      slots = []
      client.close()

      // Nothing listens yet: the connection is made when the socket is there.
      let again = try daemon.connect("again")
      slots = [try Self.watch(again, "Connected", state)]
      await EventLoop.main.sleep(.milliseconds(20))
      #expect(state.pending.isEmpty)
      try daemon.start()
      #expect(await state.next() == "Connected")
      #expect(try await !Self.busID(again).isEmpty)
      withExtendedLifetime((server, pending, slots)) {}
    }
  }

  @Test func closingAConnectionEndsItsCalls() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let calls = Mailbox<CallBox>()
      let server = try await Server(daemon) { call in
        calls.put(CallBox(call))
        return true
      }
      let client = try daemon.connect("client")
      let answers = Mailbox<String>()
      loopTask {
        do throws(BusError) {
          _ = try await client.callAsync(try Self.call(client))
          answers.put("answered")
        } catch {
          answers.put("failed")
        }
      }
      let pending = await calls.next()
      client.close()
      #expect(await answers.next() == "failed")
      withExtendedLifetime((server, pending)) {}
    }
  }
}

/// Slots are owned values; an array or a later release needs a class around each.
final class SlotBox {
  var slot: Slot?
  init(_ slot: consuming Slot) { self.slot = consume slot }
}

/// @unchecked: stays on the loop's thread.
final class CallBox: @unchecked Sendable {
  var call: MethodCall?
  init(_ call: MethodCall) { self.call = call }
}
