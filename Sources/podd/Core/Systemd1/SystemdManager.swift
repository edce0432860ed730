import Systemd

/// org.freedesktop.systemd1, as far as podd needs it: transient scopes, a few services, and their jobs.
///
/// One match serves all jobs, correlated by job path (facts 4): a match per pod would meet dbus-daemon's
/// limit of 512 rules.
@LoopActor
final class SystemdManager {
  private static let destination = "org.freedesktop.systemd1"
  private static let path = "/org/freedesktop/systemd1"
  private static let interface = "org.freedesktop.systemd1.Manager"

  private let bus: Bus
  private var jobRemoved: Slot?
  private var waiting: [String: UnsafeContinuation<String, Never>] = [:]
  /// Results that arrived before the reply that names their job; kept only while calls are in flight.
  private var early: [String: String] = [:]
  private var callsInFlight = 0

  init(bus: Bus) throws(BusError) {
    self.bus = bus
    jobRemoved = try bus.match(
      sender: Self.destination, path: Self.path, interface: Self.interface, member: "JobRemoved"
    ) { [weak self] message in
      do throws(BusError) {
        _ = try message.readUInt32()
        let job = try message.readObjectPath()
        _ = try message.readString()
        self?.finished(job: job, result: try message.readString())
      } catch {
        Log.debug("Cannot read JobRemoved, ignoring: \(error)")
      }
    }
  }

  /// Lets everybody go who waits for a job: the connection that would tell them is lost.
  func connectionLost() {
    for (_, continuation) in waiting { continuation.resume(returning: "disconnected") }
    waiting = [:]
    early = [:]
    jobRemoved = nil
  }

  // MARK: Scopes

  /// Starts a scope and waits for its job; the result is systemd's word: `done`, `failed`, `timeout` …
  func startScope(_ scope: ScopeProperties) async throws(BusError) -> String {
    let call = try newCall("StartTransientUnit")
    try call.append(scope.unit)
    try call.append("fail")
    try scope.append(to: call)
    // No auxiliary units.
    try call.openContainer(.array, "(sa(sv))")
    try call.closeContainer()
    return try await job(call)
  }

  /// Stops a unit and waits until it is gone; `done` also when it was gone before.
  func stopUnit(_ unit: String) async throws(BusError) -> String {
    let call = try newCall("StopUnit")
    try call.append(unit)
    try call.append("replace")
    do throws(BusError) {
      return try await job(call)
    } catch {
      if error.name == "org.freedesktop.systemd1.NoSuchUnit" { return "done" }
      throw error
    }
  }

  /// Starts a unit and waits for its job; the result is systemd's word, as for ``startScope(_:)``.
  func startUnit(_ unit: String) async throws(BusError) -> String {
    let call = try newCall("StartUnit")
    try call.append(unit)
    // Merges with a start that is under way, and does not interfere with a stop.
    try call.append("fail")
    return try await job(call)
  }

  /// Whether there is such a unit: `loaded`, `not-found`, `masked` … PID 1 looks for it on disk if need be.
  func loadState(_ unit: String) async throws(BusError) -> String {
    try await property("LoadState", of: unit, interface: "org.freedesktop.systemd1.Unit")
  }

  /// Has a service load its configuration again, or starts it; not while another job is about to stop it.
  func reloadOrRestartUnit(_ unit: String) async throws(BusError) -> String {
    let call = try newCall("ReloadOrRestartUnit")
    try call.append(unit)
    try call.append("fail")
    return try await job(call)
  }

  /// SIGKILL to every process of a unit.
  func killUnit(_ unit: String, signal: Int32) async throws(BusError) {
    let call = try newCall("KillUnit")
    try call.append(unit)
    try call.append("all")
    try call.append(signal)
    _ = try await bus.callAsync(call)
  }

  /// Returns when every process of the unit is frozen.
  func freezeUnit(_ unit: String) async throws(BusError) {
    try await tell("FreezeUnit", unit)
  }

  func thawUnit(_ unit: String) async throws(BusError) {
    try await tell("ThawUnit", unit)
  }

  /// Keeps a unit loaded until its result was read; the reference ends with the connection (facts 3).
  func referenceUnit(_ unit: String) async throws(BusError) {
    try await tell("RefUnit", unit)
  }

  /// Lets PID 1 forget the unit.
  func unreferenceUnit(_ unit: String) async throws(BusError) {
    try await tell("UnrefUnit", unit)
  }

  /// A failed unit keeps its name loaded until this.
  func resetFailed(_ unit: String) async throws(BusError) {
    try await tell("ResetFailedUnit", unit)
  }

  /// systemd's `Result` of a scope that is still loaded.
  func result(ofScope unit: String) async throws(BusError) -> String {
    try await property("Result", of: unit, interface: "org.freedesktop.systemd1.Scope")
  }

  func property(_ name: String, of unit: String, interface: String) async throws(BusError) -> String {
    let call = try bus.newMethodCall(
      destination: Self.destination, path: Self.objectPath(ofUnit: unit),
      interface: "org.freedesktop.DBus.Properties", member: "Get")
    try call.append(interface)
    try call.append(name)
    let reply = try await bus.callAsync(call)
    guard try reply.enterContainer(.variant, "s") else { return "" }
    return try reply.readString()
  }

  /// The scopes named `pod-*.scope` that PID 1 knows, with their active state.
  func podScopes() async throws(BusError) -> [(unit: String, activeState: String)] {
    let call = try newCall("ListUnitsByPatterns")
    try call.openContainer(.array, "s")
    try call.closeContainer()
    try call.openContainer(.array, "s")
    try call.append("pod-*.scope")
    try call.closeContainer()
    let reply = try await bus.callAsync(call)
    var units: [(unit: String, activeState: String)] = []
    try reply.readArray(of: "(ssssssouso)") { () throws(BusError) in
      _ = try reply.enterContainer(.structure, "ssssssouso")
      let unit = try reply.readString()
      try reply.skip("ss")
      let active = try reply.readString()
      try reply.skip("ssouso")
      try reply.exitContainer()
      units.append((unit, active))
    }
    return units
  }

  /// A unit's object path: what is not alphanumeric becomes `_xx` (sd_bus_path_encode(3)).
  static func objectPath(ofUnit unit: String) -> String {
    var path = "/org/freedesktop/systemd1/unit/"
    for (index, byte) in unit.utf8.enumerated() {
      let digit = (48...57).contains(byte)
      if (65...90).contains(byte) || (97...122).contains(byte) || (digit && index > 0) {
        path.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        let hex = String(byte, radix: 16)
        path += "_" + (hex.utf8.count == 1 ? "0" : "") + hex
      }
    }
    return path
  }

  /// A method that takes a unit's name and answers with nothing.
  private func tell(_ member: String, _ unit: String) async throws(BusError) {
    let call = try newCall(member)
    try call.append(unit)
    _ = try await bus.callAsync(call)
  }

  // MARK: Jobs

  private func newCall(_ member: String) throws(BusError) -> Message {
    try bus.newMethodCall(
      destination: Self.destination, path: Self.path, interface: Self.interface, member: member)
  }

  private func job(_ call: consuming Message) async throws(BusError) -> String {
    callsInFlight += 1
    defer {
      callsInFlight -= 1
      if callsInFlight == 0 { early = [:] }
    }
    let reply = try await bus.callAsync(call)
    let job = try reply.readObjectPath()
    if let result = early.removeValue(forKey: job) { return result }
    return await withUnsafeContinuation { waiting[job] = $0 }
  }

  private func finished(job: String, result: String) {
    if let continuation = waiting.removeValue(forKey: job) {
      continuation.resume(returning: result)
    } else if callsInFlight > 0 {
      early[job] = result
    }
  }
}
