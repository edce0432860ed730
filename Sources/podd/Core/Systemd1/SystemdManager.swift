import PodModel
import Systemd
import Time

/// org.freedesktop.systemd1, as far as podd needs it: transient scopes, a few services, and their jobs.
///
/// One match serves all jobs, correlated by job path (facts 4), because a match per pod would exceed
/// dbus-daemon's limit of 512 rules.
@LoopActor
final class SystemdManager {
  private static let destination = "org.freedesktop.systemd1"
  private static let path = "/org/freedesktop/systemd1"
  private static let interface = "org.freedesktop.systemd1.Manager"
  /// systemd's name for the error that a unit is not loaded.
  private static let noSuchUnit = "org.freedesktop.systemd1.NoSuchUnit"

  private let bus: Bus
  private var jobRemoved: Slot?
  /// Several calls can wait for one job: systemd merges a second StopUnit into the installed job.
  private var waiting: [String: [BoundedWait<JobEnd>]] = [:]
  /// Results that arrived before the reply that names their job was read; emptied before the first of several calls.
  private var early: [String: JobResult] = [:]
  private var callsInFlight = 0
  /// How long podd believes that a job is under way without a word of it.
  private let pauseBetweenLooks: Microseconds
  /// Twice as long as a call over the bus may take.
  static let patienceWithStart: Microseconds = .minutes(2)

  init(bus: Bus, pauseBetweenLooks: Microseconds = .seconds(15)) throws(BusError) {
    self.bus = bus
    self.pauseBetweenLooks = pauseBetweenLooks
    jobRemoved = try bus.match(
      sender: Self.destination, path: Self.path, interface: Self.interface, member: "JobRemoved"
    ) { [weak self] message in
      do throws(BusError) {
        _ = try message.readUInt32()
        let job = try message.readObjectPath()
        _ = try message.readString()
        self?.finished(job: job, result: JobResult(try message.readString()))
      } catch {
        Log.debug("Cannot read JobRemoved, ignoring: \(error)")
      }
    }
  }

  /// Ends every wait for a job: the connection on which its end would be reported is lost.
  func connectionLost() {
    for wait in waiting.values.joined() { wait.finish(.connectionLost) }
    waiting = [:]
    early = [:]
    jobRemoved = nil
  }

  // MARK: Scopes

  /// Starts a scope and waits for its job.
  func startScope(_ scope: ScopeProperties) async throws(BusError) -> JobEnd {
    let call = try newCall("StartTransientUnit")
    try call.append(scope.unit)
    try call.append("fail")
    try scope.append(to: call)
    // No auxiliary units.
    try call.openContainer(.array, "(sa(sv))")
    try call.closeContainer()
    return try await job(call, of: scope.unit, makes: .active, within: Self.patienceWithStart)
  }

  /// Stops a unit and waits until it is gone; a unit that was gone before is stopped.
  ///
  /// - Parameter patience: how long to wait for the job, which ends by the unit's own TimeoutStopSec=.
  func stopUnit(_ unit: String, within patience: Microseconds = .infinity) async throws(BusError) -> JobEnd {
    let call = try newCall("StopUnit")
    try call.append(unit)
    try call.append("replace")
    do throws(BusError) {
      return try await job(call, of: unit, makes: .inactive, within: patience)
    } catch {
      if error.name == Self.noSuchUnit { return .finished(.done) }
      throw error
    }
  }

  /// Starts a unit and waits for its job.
  func startUnit(_ unit: String) async throws(BusError) -> JobEnd {
    let call = try newCall("StartUnit")
    try call.append(unit)
    // Merges with a start that is under way, and does not interfere with a stop.
    try call.append("fail")
    return try await job(call, of: unit, makes: .active)
  }

  /// PID 1 searches the disk for a unit that it has not loaded. Nil: a state that this podd does not know.
  func loadState(_ unit: String) async throws(BusError) -> LoadState? {
    LoadState(rawValue: try await property("LoadState", of: unit, interface: "org.freedesktop.systemd1.Unit"))
  }

  /// Nil: a state that this podd does not know.
  func activeState(_ unit: String) async throws(BusError) -> ActiveState? {
    ActiveState(
      rawValue: try await property("ActiveState", of: unit, interface: "org.freedesktop.systemd1.Unit"))
  }

  /// Makes a service load its configuration again, or starts it; fails while another job is about to stop it.
  func reloadOrRestartUnit(_ unit: String) async throws(BusError) -> JobEnd {
    let call = try newCall("ReloadOrRestartUnit")
    try call.append(unit)
    try call.append("fail")
    return try await job(call, of: unit, makes: .active)
  }

  /// Returns when every process of the unit is frozen.
  func freezeUnit(_ unit: String) async throws(BusError) {
    try await call("FreezeUnit", unit)
  }

  func thawUnit(_ unit: String) async throws(BusError) {
    try await call("ThawUnit", unit)
  }

  /// Keeps a unit loaded until its result has been read; the reference ends with the connection (facts 3).
  func referenceUnit(_ unit: String) async throws(BusError) {
    try await call("RefUnit", unit)
  }

  /// Allows PID 1 to unload the unit.
  func unreferenceUnit(_ unit: String) async throws(BusError) {
    try await call("UnrefUnit", unit)
  }

  /// Allows PID 1 to unload a failed unit.
  func resetFailed(_ unit: String) async throws(BusError) {
    try await call("ResetFailedUnit", unit)
  }

  /// The property `Result` of a scope that is still loaded.
  func result(ofScope unit: String) async throws(BusError) -> String {
    try await property("Result", of: unit, interface: "org.freedesktop.systemd1.Scope")
  }

  private func property(_ name: String, of unit: String, interface: String) async throws(BusError) -> String {
    try await string(name, at: Self.objectPath(ofUnit: unit), interface: interface)
  }

  private func string(_ name: String, at path: String, interface: String) async throws(BusError) -> String {
    let call = try bus.newMethodCall(
      destination: Self.destination, path: path,
      interface: "org.freedesktop.DBus.Properties", member: "Get")
    try call.append(interface)
    try call.append(name)
    let reply = try await bus.callAsync(call)
    guard try reply.enterContainer(.variant, "s") else { return "" }
    return try reply.readString()
  }

  /// The slice of a scope that is loaded; empty when PID 1 does not know the scope.
  func slice(ofScope unit: UnitName) async -> String {
    let slice = try? await property(
      "Slice", of: unit.description, interface: "org.freedesktop.systemd1.Scope")
    return slice ?? ""
  }

  /// The scopes that PID 1 knows and that are named as a generation is, in whatever slice, with their active state; nil
  /// for a state that this podd does not know.
  func scopesNamedAsPods() async throws(BusError) -> [(unit: UnitName, activeState: ActiveState?)] {
    let call = try newCall("ListUnitsByPatterns")
    try call.openContainer(.array, "s")
    try call.closeContainer()
    try call.openContainer(.array, "s")
    try call.append("pod-*.scope")
    try call.closeContainer()
    let reply = try await bus.callAsync(call)
    var units: [(unit: UnitName, activeState: ActiveState?)] = []
    try reply.readArray(of: "(ssssssouso)") { () throws(BusError) in
      _ = try reply.enterContainer(.structure, "ssssssouso")
      let unit = UnitName(try reply.readString())
      try reply.skip("ss")
      let active = ActiveState(rawValue: try reply.readString())
      try reply.skip("ssouso")
      try reply.exitContainer()
      if let unit { units.append((unit, active)) }
    }
    return units
  }

  /// A unit's object path: what is not alphanumeric becomes `_xx` (sd_bus_path_encode(3)).
  static func objectPath(ofUnit unit: String) -> String {
    var path = "/org/freedesktop/systemd1/unit/"
    for (index, byte) in unit.utf8.enumerated() {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
        path.unicodeScalars.append(Unicode.Scalar(byte))
      case UInt8(ascii: "0")...UInt8(ascii: "9") where index > 0:
        path.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        path += "_" + padded(byte, toWidth: 2, radix: 16)
      }
    }
    return path
  }

  /// Calls a method that takes a unit's name and returns nothing.
  private func call(_ member: String, _ unit: String) async throws(BusError) {
    let call = try newCall(member)
    try call.append(unit)
    _ = try await bus.callAsync(call)
  }

  // MARK: Jobs

  private func newCall(_ member: String) throws(BusError) -> Message {
    try bus.newMethodCall(
      destination: Self.destination, path: Self.path, interface: Self.interface, member: member)
  }

  /// Calls, and waits until the job that the reply names has ended. Its end is reported by a signal, which may be lost:
  /// where none comes, podd asks whether systemd still has the job, and if not, what has become of the unit.
  ///
  /// - Parameter patience: for a job that systemd does not end, after which it is `.unreported`.
  private func job(
    _ call: consuming Message, of unit: String, makes wanted: ActiveState,
    within patience: Microseconds = .infinity
  ) async throws(BusError) -> JobEnd {
    if callsInFlight == 0 { early = [:] }
    callsInFlight += 1
    let job: String
    do throws(BusError) {
      job = try await bus.callAsync(call).readObjectPath()
    } catch {
      callsInFlight -= 1
      throw error
    }
    // From here on `waiting` has the job, so `early` need not keep its result.
    callsInFlight -= 1
    if let result = early[job] { return .finished(result) }
    let wait = BoundedWait<JobEnd>()
    waiting[job, default: []].append(wait)
    defer { forget(wait, of: job) }
    let deadline = EventLoop.main.now() + patience
    while true {
      let left = deadline - EventLoop.main.now()
      if let end = await wait.report(within: min(left, pauseBetweenLooks)) { return end }
      let exists = await hasJob(job)
      // The signal may have come before the reply to that.
      if let end = await wait.report(within: .zero) { return end }
      if exists == false { return await seen(unit, wanted) }
      if EventLoop.main.now() >= deadline { return .unreported }
    }
  }

  private func forget(_ wait: BoundedWait<JobEnd>, of job: String) {
    waiting[job]?.removeAll { $0 === wait }
    if waiting[job]?.isEmpty ?? false { waiting[job] = nil }
  }

  /// Nil: systemd does not say.
  private func hasJob(_ job: String) async -> Bool? {
    do throws(BusError) {
      _ = try await string("State", at: job, interface: "org.freedesktop.systemd1.Job")
      return true
    } catch {
      return error.name == "org.freedesktop.DBus.Error.UnknownObject" ? false : nil
    }
  }

  /// How a job ended of which nobody reported the end, by the state of its unit.
  private func seen(_ unit: String, _ wanted: ActiveState) async -> JobEnd {
    let state = try? await activeState(unit)
    let isGone = state == .inactive || state == .failed
    return state == wanted || (wanted == .inactive && isGone) ? .finished(.done) : .unreported
  }

  private func finished(job: String, result: JobResult) {
    if callsInFlight > 0 { early[job] = result }
    for wait in waiting.removeValue(forKey: job) ?? [] { wait.finish(.finished(result)) }
  }
}
