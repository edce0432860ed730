import LoopThread
import OpenMetrics
import PodAPI
import PodModel
import Systemd
import Testing
import Time
import TimeLiterals

@testable import PoddCore

@Suite(.timeLimit(.minutes(10))) struct FiguresTests {
  private let pod = PodName(number: 1)
  private let start = LoopTime.zero + .seconds(100)

  @Test func `a wake lasts from the connection until the pod is ready, whatever happens between`()
    async throws
  {
    let (pod, start) = (pod, start)
    let wakes = try await onLoop {
      let figures = Figures()
      figures.woken(pod, from: .cold, at: start)
      for state in [PodState.starting, .backoff, .starting] {
        figures.moved(pod, to: state, at: start + .seconds(1))
      }
      figures.moved(pod, to: .ready, at: start + .seconds(3))
      figures.woken(pod, from: .frozen, at: start + .seconds(10))
      figures.moved(pod, to: .ready, at: start + .milliseconds(10_004))
      // Nobody has woken it.
      figures.moved(pod, to: .ready, at: start + .seconds(90))
      return figures.wakes
    }
    #expect(wakes["cold"]?.sum == 3 && wakes["cold"]?.counts.reduce(0, +) == 1)
    #expect(wakes["frozen"]?.counts.first == 1 && wakes["frozen"]?.counts.reduce(0, +) == 1)
  }

  @Test(arguments: [PodState.cold, .stopped, .crashLoop])
  func `a wake that came to nothing is not counted`(state: PodState) async throws {
    let (pod, start) = (pod, start)
    let wakes = try await onLoop {
      let figures = Figures()
      figures.woken(pod, from: .cold, at: start)
      figures.moved(pod, to: state, at: start + .seconds(1))
      figures.moved(pod, to: .ready, at: start + .seconds(9))
      return figures.wakes
    }
    #expect(wakes["cold"]?.counts.allSatisfy { $0 == 0 } == true)
  }

  @Test func `ends are counted by tier and kind, and every kind is there from the start`() async throws {
    let (free, pro) = try await onLoop {
      let figures = Figures()
      figures.ended(tier: "free", .exited(1))
      figures.ended(tier: "free", .exited(2))
      figures.ended(tier: "free", .launchFailed(stage: .exec, error: "ENOENT"))
      return (figures.ends(ofTier: "free"), figures.ends(ofTier: "pro"))
    }
    #expect(free["exited"] == 2 && free["launch-failed"] == 1 && free.values.reduce(0, +) == 3)
    #expect(Set(free.keys) == Set(EndReason.kinds) && Set(pro.keys) == Set(EndReason.kinds))
    #expect(pro.values.allSatisfy { $0 == 0 })
  }

  @Test func `launches are counted by tier`() async throws {
    let launches = try await onLoop {
      let figures = Figures()
      figures.launched(tier: "free", took: .milliseconds(120))
      return [figures.launches(ofTier: "free"), figures.launches(ofTier: "pro")]
    }
    #expect(launches.map(\.sum) == [0.12, 0] && launches[0].counts[5] == 1)
  }

  @Test func `a user is near the limit from four fifths on`() {
    var data = HostMetrics.Data()
    for size in [0, 79, 80, 100, 500] as [UInt64] { data.add(size, of: 100) }
    data.add(7, of: nil)
    #expect(data == HostMetrics.Data(bytes: 766, nearlyFull: 3))
  }

  @Test func `requests are counted up to the last report, or up to when one would have come`() async throws {
    let start = start
    try await onLoop {
      let figures = Figures()
      #expect(figures.requestsCounted(at: start) == nil, "no front door")
      figures.requestsReported(at: start)
      #expect(figures.requestsCounted(at: start + .seconds(1)) == start)
      #expect(figures.requestsCounted(at: start + .seconds(60)) == start + .seconds(60) - Figures.reportDelay)
    }
  }
}
