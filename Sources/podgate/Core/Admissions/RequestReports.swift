import PodAPI
import PodModel
import Systemd
import Time

/// Tells podd how many requests each pod has had and how long they took (decision 0034). podd keeps it in memory, so it is
/// told every second, and `podctl top` shows what happens now.
@LoopActor
final class RequestReports {
  static let interval: Microseconds = .seconds(1)

  /// What podd has not been told. There are no more pods than podd has named.
  private var pods: [String: RequestCounts] = [:]
  /// podd is to know that there is a front door, also before the first request.
  private var isNew = false
  private let schedule: ReportSchedule
  private let report: @LoopActor (RequestsReport) async throws(BusError) -> Void

  /// - Parameter report: Tells podd of up to ``RequestsReport/mostRows`` pods.
  init(
    interval: Microseconds = RequestReports.interval,
    report: @escaping @LoopActor (RequestsReport) async throws(BusError) -> Void
  ) {
    self.report = report
    schedule = ReportSchedule("the pods' requests", interval: interval)
    schedule.hasNews = { [weak self] in self.map { !$0.pods.isEmpty || $0.isNew } ?? false }
    schedule.send = { [weak self] () throws(BusError) in try await self?.send() }
  }

  /// podd has been started, and knows nothing of what the one before it was told.
  func poddAppeared() {
    isNew = true
    loopTask { await self.flush() }
  }

  /// nginx has logged the end of a request.
  /// - Parameter time: How long it took. A stream lasts as long as its client wants, which says nothing of the pod.
  func ended(_ request: AdmittedRequest, after time: Microseconds?) {
    pods[request.pod, default: RequestCounts()].add(latency: request.stream == nil ? time : nil)
    schedule.arm()
  }

  /// Tells podd now what it has not been told. Returns when podd has taken all of it, or something not.
  func flush() async { await schedule.flush() }

  /// Only what there is at the beginning: under load, there is always more.
  private func send() async throws(BusError) {
    var pods = Array(pods)[...]
    self.pods = [:]
    while !pods.isEmpty || isNew {
      let batch = pods.prefix(RequestsReport.mostRows)
      do throws(BusError) {
        try await report(RequestsReport(pods: batch.map { RequestCountsRow(pod: $0.key, counts: $0.value) }))
      } catch {
        for (pod, counts) in pods { self.pods[pod, default: RequestCounts()] += counts }
        throw error
      }
      isNew = false
      pods = pods.dropFirst(batch.count)
    }
  }
}
