import Linux
import PodAPI
import Systemd
import Time

/// Tells podd who has used the front door (decision 0034): what came in ten seconds at once, and again what podd did not
/// take.
@LoopActor
final class UseReports {
  /// How long uses are gathered: podd's reply comes after its disk.
  static let interval: Microseconds = .seconds(10)

  private var users: [String: WallTime] = [:]
  private let capacity: Int
  private let schedule: ReportSchedule
  private let report: @LoopActor (UseReport) async throws(BusError) -> Void

  /// - Parameters:
  ///   - capacity: How many users are remembered. While there are as many, the use of another one is not.
  ///   - report: Tells podd of up to ``UseReport/mostRows`` users.
  init(
    capacity: Int = Placements.capacity, interval: Microseconds = UseReports.interval,
    report: @escaping @LoopActor (UseReport) async throws(BusError) -> Void
  ) {
    self.capacity = capacity
    self.report = report
    schedule = ReportSchedule("who has used the front door", interval: interval)
    schedule.hasNews = { [weak self] in self?.users.isEmpty == false }
    schedule.send = { [weak self] () throws(BusError) in try await self?.send() }
  }

  /// A stream has begun. It may last for days.
  func began(_ request: AdmittedRequest) {
    use(request.user, Clock.wall)
    schedule.arm()
  }

  /// nginx has logged the end of a request.
  func ended(_ request: AdmittedRequest) {
    use(request.user, Clock.wall)
    schedule.arm()
  }

  private func use(_ user: String, _ time: WallTime) {
    if let known = users[user] {
      // The clock may have been set back.
      if known < time { users[user] = time }
    } else if users.count < capacity {
      users[user] = time
    }
  }

  /// Tells podd now what it has not been told. Returns when podd has taken all of it, or something not.
  func flush() async { await schedule.flush() }

  /// Only what there is at the beginning: under load, there is always more.
  private func send() async throws(BusError) {
    var users = Array(users)[...]
    self.users = [:]
    while !users.isEmpty {
      let batch = users.prefix(UseReport.mostRows)
      do throws(BusError) {
        try await report(UseReport(users: batch.map { LastUseRow(user: $0.key, at: $0.value) }, pods: []))
      } catch {
        for (user, time) in users { use(user, time) }
        throw error
      }
      users = users.dropFirst(batch.count)
    }
  }
}
