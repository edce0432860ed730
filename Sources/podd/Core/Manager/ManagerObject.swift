import Glibc
import PodAPI
import PodStore
import Systemd
import Time

/// `/org/podctl1` on the bus: decodes each call, asks polkit, has `ManagerMethods` do it, replies, and writes the
/// audit log.
@LoopActor
final class ManagerObject {
  private let host: PodHost
  private let polkit: Polkit
  private let signals: ManagerSignals
  private let frontDoorWatch: FrontDoorWatch
  private let startedAt: WallTime
  private let limits = CallLimits()
  private var denials = Denials()
  private var slot: Slot?

  /// - Parameter startedAt: When podd started.
  init(host: PodHost, bus: Bus, startedAt: WallTime) throws(BusError) {
    self.host = host
    self.startedAt = startedAt
    polkit = Polkit(bus: bus)
    signals = ManagerSignals(bus: bus)
    frontDoorWatch = FrontDoorWatch(bus: bus, frontDoors: host.frontDoors)
    signals.connect(to: host)
    slot = try bus.addObject(path: PodBus.path) { [weak self] call in
      LoopActor.assumeIsolated { self?.dispatch(call) ?? false }
    }
  }

  /// Returns false for a call that sd-bus shall refuse: no such interface, or no such method.
  private func dispatch(_ call: MethodCall) -> Bool {
    switch call.interface {
    case PodBus.interface:
      guard let method = Method(rawValue: call.member) else { return false }
      start(method, call)
      return true
    case "org.freedesktop.DBus.Introspectable" where call.member == "Introspect":
      call.reply { message throws(BusError) in try message.append(Introspection.xml) }
      return true
    case "org.freedesktop.DBus.Properties":
      return ManagerProperties(host: host).answer(call)
    default:
      return false
    }
  }

  private func start(_ method: Method, _ call: MethodCall) {
    guard method.input == call.signature else {
      return call.fail(.invalidArguments("\(method.name) takes (\(method.input)), not (\(call.signature))"))
    }
    do throws(BusError) {
      let handler = MethodHandler.handler(of: method)
      let decoded = try call.arguments { message throws(BusError) in try handler.decode(message) }
      try limits.arrived()
      loopTask { await self.run(method, decoded, call) }
    } catch {
      call.fail(
        error.isLimit ? error : .invalidArguments("\(method.name): \(error.message)"))
    }
  }

  /// ``CallLimits/arrived()`` has counted it.
  private func run(_ method: Method, _ decoded: MethodHandler.Decoded, _ call: MethodCall) async {
    do throws(BusError) {
      let caller = try await caller(of: call)
      limits.frontDoor = host.gateUID
      try limits.begin(caller.uid)
      defer { limits.end(caller.uid) }
      do throws(BusError) {
        try await polkit.check(
          caller, action: method.action, subject: decoded.subject,
          interactive: call.allowsInteractiveAuthorization)
      } catch {
        logDenial(method, caller, decoded.subject, error)
        throw error
      }
      do throws(Refusal) {
        let methods = ManagerMethods(
          host: host, signals: signals, frontDoorWatch: frontDoorWatch, caller: caller, startedAt: startedAt)
        let reply = try await decoded.perform(methods)
        call.reply { message throws(BusError) in try reply.append(to: message) }
        audit(method, caller, decoded.subject, "done")
      } catch {
        audit(method, caller, decoded.subject, error.error.name)
        throw BusError(name: error.error.name, message: error.message)
      }
    } catch {
      call.fail(error)
    }
  }

  private func caller(of call: MethodCall) async throws(BusError) -> Polkit.Caller {
    defer { limits.isKnown() }
    return try await polkit.caller(call.sender)
  }

  // MARK: Records

  /// The audit log has no row for it: whoever may do nothing must not fill it.
  private func logDenial(_ method: Method, _ caller: Polkit.Caller, _ subject: String, _ error: BusError) {
    guard let omitted = denials.count(caller.uid, method.action, at: EventLoop.main.now()) else { return }
    host.report(
      .accessDenied(
        method: method.name, action: method.action.id, uid: caller.uid, sender: caller.sender,
        subject: subject, why: error.message, omitted: omitted))
  }

  /// - Parameter result: `done`, or the error's D-Bus name.
  private func audit(_ method: Method, _ caller: Polkit.Caller, _ subject: String, _ result: String) {
    guard method.isAudited else { return }
    let entry = AuditRecord(
      at: Clock.wall, uid: caller.uid, sender: caller.sender, verb: method.name,
      subject: String(subject.prefix(256)), result: result)
    host.write("the audit entry") { store throws(StoreError) in try store.audit(entry) }
  }
}

extension BusError {
  /// What sd-bus replies to a call with other arguments than the method has.
  fileprivate static func invalidArguments(_ message: String) -> BusError {
    BusError(name: "org.freedesktop.DBus.Error.InvalidArgs", message: message, code: EINVAL)
  }
}
