import Linux
import PodAPI
import Systemd
import Time

/// Tells podd who has used the front door, and how many requests each pod has had (decision 0034): what came in ten
/// seconds at once, and again what podd did not take.
@LoopActor
final class UseReports {
  /// How long requests are gathered.
  static let interval: Microseconds = .seconds(10)

  private var users: [String: WallTime] = [:]
  private var pods: [String: UInt64] = [:]
  private let capacity: Int
  private let interval: Microseconds
  private var timer: EventSource?
  private var sending: Task<Void, Never>?
  private var isRefused = false
  private let report: @LoopActor (UseReport) async throws(BusError) -> Void

  /// - Parameters:
  ///   - capacity: How many users are remembered. While there are as many, the use of another one is not.
  ///   - report: Tells podd of up to ``UseReport/mostRows`` users and pods.
  init(
    capacity: Int = Placements.capacity, interval: Microseconds = UseReports.interval,
    report: @escaping @LoopActor (UseReport) async throws(BusError) -> Void
  ) {
    self.capacity = capacity
    self.interval = interval
    self.report = report
  }

  /// A stream has begun. It may last for days.
  func began(_ request: AdmittedRequest) {
    use(request.user, Clock.wall)
    arm()
  }

  /// nginx has logged the end of a request.
  func ended(_ request: AdmittedRequest) {
    use(request.user, Clock.wall)
    pods[request.pod, default: 0] += 1
    arm()
  }

  private func use(_ user: String, _ time: WallTime) {
    if let known = users[user] {
      // The clock may have been set back.
      if known < time { users[user] = time }
    } else if users.count < capacity {
      users[user] = time
    }
  }

  private func arm() {
    guard timer == nil else { return }
    timer = try? EventSource.timer(EventLoop.main, after: interval, accuracy: .seconds(1)) { [weak self] in
      loopTask { await self?.gathered() }
    }
  }

  private func gathered() async {
    await flush()
    timer = nil
    if !users.isEmpty || !pods.isEmpty { arm() }
  }

  /// Tells podd now what it has not been told. Returns when podd has taken all of it, or something not.
  func flush() async {
    if let sending { await sending.value }
    let task = loopTask { await self.send() }
    sending = task
    await task.value
    sending = nil
  }

  /// Only what there is at the beginning: under load, there is always more.
  private func send() async {
    var users = Array(users)[...]
    var pods = Array(pods)[...]
    self.users = [:]
    self.pods = [:]
    while !users.isEmpty || !pods.isEmpty {
      let batch = UseReport(
        users: users.prefix(UseReport.mostRows).map { LastUseRow(user: $0.key, at: $0.value) },
        pods: pods.prefix(UseReport.mostRows).map { RequestsRow(pod: $0.key, requests: $0.value) })
      do throws(BusError) {
        try await report(batch)
        isRefused = false
      } catch {
        for (user, time) in users { use(user, time) }
        for (pod, requests) in pods { self.pods[pod, default: 0] += requests }
        complain(error)
        return
      }
      users = users.dropFirst(batch.users.count)
      pods = pods.dropFirst(batch.pods.count)
    }
  }

  /// Once, and not while podd is away, which is nothing unusual.
  private func complain(_ error: BusError) {
    guard !isRefused, !error.isUnreachable else { return }
    isRefused = true
    GateLog.warning("podd does not record who has used the front door; it is told again: \(error.message)")
  }
}
