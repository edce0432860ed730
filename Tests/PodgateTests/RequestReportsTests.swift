import LoopThread
import PodAPI
import PodModel
import Systemd
import Testing
import Time
import TokenCheck

@testable import PodgateCore

@LoopActor
private final class Podd {
  var refuses = false
  /// Happens while podd has the call.
  var meanwhile: @LoopActor () -> Void = {}
  let reports = Mailbox<RequestsReport>()

  func requests(interval: Microseconds = .hours(1)) -> RequestReports {
    RequestReports(interval: interval) { report throws(BusError) in
      self.reports.put(report)
      self.meanwhile()
      if self.refuses { throw BusError(name: "org.freedesktop.DBus.Error.UnknownMethod", message: "no") }
    }
  }
}

extension RequestsReport {
  fileprivate var totals: [String: UInt64] {
    Dictionary(pods.map { ($0.pod, $0.counts.total) }, uniquingKeysWith: +)
  }
  fileprivate func measured(_ pod: String) -> UInt64? {
    pods.first { $0.pod == pod }?.counts.latencies.reduce(0, +)
  }
}

@Suite("What podd is told of the pods' requests", .serialized)
struct RequestReportsTests {
  private func request(_ pod: String = "pod-001", stream: Bool = false) -> AdmittedRequest {
    AdmittedRequest(
      serial: 1, user: "alice", pod: pod, peer: "1.2.3.4:1",
      stream: stream ? KeyFingerprint("1").map { AdmittedRequest.Rights(key: $0, until: .never) } : nil)
  }

  @Test func aStreamIsARequestWithoutALatency() async throws {
    try await onLoop {
      let podd = Podd()
      let requests = podd.requests()
      requests.ended(request(), after: .milliseconds(12))
      requests.ended(request(), after: nil)
      requests.ended(request(stream: true), after: .hours(3))
      requests.ended(request("pod-002"), after: .milliseconds(3))
      await requests.flush()
      let report = await podd.reports.next()
      #expect(report.totals == ["pod-001": 3, "pod-002": 1])
      #expect(report.measured("pod-001") == 1 && report.measured("pod-002") == 1)
      await requests.flush()
      #expect(podd.reports.pending.isEmpty, "nothing is told twice")
    }
  }

  @Test func whatWasGatheredIsToldWithoutBeingAsked() async throws {
    try await onLoop {
      let podd = Podd()
      let requests = podd.requests(interval: .milliseconds(1))
      requests.ended(request(), after: .zero)
      #expect(await podd.reports.next().totals == ["pod-001": 1])
      requests.ended(request(), after: .zero)
      #expect(await podd.reports.next().totals == ["pod-001": 1])
    }
  }

  @Test func aPoddThatHasBeenStartedIsToldOnceThatThereIsAFrontDoor() async throws {
    try await onLoop {
      let podd = Podd()
      let requests = podd.requests()
      podd.refuses = true
      requests.poddAppeared()
      await requests.flush()
      let refused = podd.reports.pending.count
      #expect(refused > 0 && podd.reports.pending.allSatisfy(\.pods.isEmpty))
      // It did not hear it.
      podd.refuses = false
      await requests.flush()
      #expect(podd.reports.pending.count == refused + 1)
      await requests.flush()
      #expect(podd.reports.pending.count == refused + 1)
    }
  }

  @Test func whatEndsWhilePoddRefusesIsAddedToWhatItRefused() async throws {
    try await onLoop {
      let podd = Podd()
      let requests = podd.requests()
      podd.refuses = true
      podd.meanwhile = { requests.ended(request(), after: .milliseconds(3)) }
      requests.ended(request(), after: .milliseconds(3))
      await requests.flush()
      podd.refuses = false
      podd.meanwhile = {}
      await requests.flush()
      #expect(podd.reports.pending.map(\.totals) == [["pod-001": 1], ["pod-001": 2]])
      #expect(podd.reports.pending.last?.measured("pod-001") == 2)
    }
  }

  @Test func aPoddThatTakesNothingDoesNotMakeItGrow() async throws {
    try await onLoop {
      let podd = Podd()
      let requests = podd.requests()
      podd.refuses = true
      for _ in 1...5 {
        for number in 1...600 { requests.ended(request("pod-\(number)"), after: .milliseconds(3)) }
        await requests.flush()
      }
      // A call has a bounded number of rows, and the first that fails is the last one.
      #expect(podd.reports.pending.map(\.pods.count) == Array(repeating: RequestsReport.mostRows, count: 5))
      podd.refuses = false
      await requests.flush()
      let reports = podd.reports.pending.dropFirst(5)
      #expect(reports.map(\.pods.count) == [256, 256, 88])
      #expect(reports.flatMap(\.pods).allSatisfy { $0.counts.total == 5 && $0.counts.latencies[2] == 5 })
    }
  }
}
