import LoopThread
import PodAPI
import Systemd
import Testing
import Time

@testable import PodgateCore

@LoopActor
private final class Podd {
  var refuses = false
  let reports = Mailbox<UseReport>()

  func uses(capacity: Int = 100_000, interval: Microseconds = .hours(1)) -> UseReports {
    UseReports(capacity: capacity, interval: interval) { report throws(BusError) in
      self.reports.put(report)
      if self.refuses {
        throw BusError(name: "org.podctl1.Error.StorageFull", message: "the disk is full")
      }
    }
  }
}

extension UseReport {
  fileprivate var names: [String] { users.map(\.user).sorted() }
}

@Suite("What podd is told of the front door's use", .serialized)
struct UseReportsTests {
  private func request(_ user: String) -> AdmittedRequest {
    AdmittedRequest(serial: 1, user: user, pod: "pod-001", peer: "1.2.3.4:1", stream: nil)
  }

  @Test func manyRequestsAreOneReport() async throws {
    try await onLoop {
      let podd = Podd()
      let uses = podd.uses()
      let before = Clock.wall
      for _ in 1...3 { uses.ended(request("alice")) }
      uses.ended(request("bob"))
      // A stream is a use when it begins, too.
      uses.began(request("carol"))
      await uses.flush()
      let report = await podd.reports.next()
      #expect(report.names == ["alice", "bob", "carol"])
      #expect(report.pods.isEmpty, "RequestReports tells of them")
      #expect(report.users.allSatisfy { $0.at >= before && $0.at <= Clock.wall })
      await uses.flush()
      #expect(podd.reports.pending.isEmpty, "nothing is told twice")
    }
  }

  @Test func whatWasGatheredIsToldWithoutBeingAsked() async throws {
    try await onLoop {
      let podd = Podd()
      let uses = podd.uses(interval: .milliseconds(1))
      uses.ended(request("alice"))
      #expect(await podd.reports.next().names == ["alice"])
      uses.ended(request("bob"))
      #expect(await podd.reports.next().names == ["bob"])
    }
  }

  @Test func whatPoddDidNotTakeIsToldAgainTogetherWithWhatCameSince() async throws {
    try await onLoop {
      let podd = Podd()
      let uses = podd.uses()
      podd.refuses = true
      uses.ended(request("alice"))
      await uses.flush()
      #expect(await podd.reports.next().names == ["alice"])
      uses.ended(request("bob"))
      await uses.flush()
      #expect(await podd.reports.next().names == ["alice", "bob"])
      podd.refuses = false
      await uses.flush()
      let report = await podd.reports.next()
      #expect(report.names == ["alice", "bob"])
    }
  }

  @Test func aCallHasABoundedNumberOfRows() async throws {
    try await onLoop {
      let podd = Podd()
      let uses = podd.uses()
      for number in 1...600 { uses.ended(request("user-\(number)")) }
      await uses.flush()
      let reports = podd.reports.pending
      #expect(reports.map(\.users.count) == [256, 256, 88])
      #expect(Set(reports.flatMap(\.names)).count == 600)
    }
  }

  @Test func aPoddThatTakesNothingDoesNotMakeItGrow() async throws {
    try await onLoop {
      let podd = Podd()
      let uses = podd.uses(capacity: 3)
      podd.refuses = true
      for round in 1...4 {
        for number in 1...4 { uses.ended(request("user-\(round)-\(number)")) }
        await uses.flush()
      }
      #expect(podd.reports.pending.map(\.users.count) == [3, 3, 3, 3])
    }
  }
}
