import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodStore

@Suite struct RolloutTests {
  let scratch: Scratch
  let store: PlacementStore

  init() throws {
    scratch = try Scratch()
    store = try scratch.open()
    try store.place("alice")
  }

  private func version(_ version: String) -> WorkloadVersion {
    WorkloadVersion(workload: "app", version: version, text: "text of \(version)")
  }

  @Test func `a tier has one rollout, the latest`() throws {
    #expect(try store.rollout(ofTier: "free") == nil)
    try store.setRollout(RolloutRecord(tier: "free", startedAt: 1, state: .running))
    let stopped = RolloutRecord(tier: "free", startedAt: 1, state: .stopped, failed: "pod-001: exited:1")
    try store.setRollout(stopped)
    #expect(try store.rollout(ofTier: "free") == stopped)
    #expect(try store.rollout(ofTier: "pro") == nil)
  }

  @Test func `one goes back to what served last, not to what was only launched`() throws {
    try store.workloadServed(version("a"), now: 1)
    try store.workloadServed(version("b"), now: 2)
    _ = try store.beginGeneration(pod: pod(1), workload: version("c"), now: 3)
    #expect(try store.workload("app", before: "d") == version("b"))
    #expect(try store.workload("app", before: "b") == version("a"))
    #expect(try store.workload("other", before: "b") == nil)
  }

  @Test func `one does not go back to what a rollout stopped at`() throws {
    try store.workloadServed(version("a"), now: 1)
    try store.workloadServed(version("b"), now: 2)
    try store.setRolloutStopped(version("b"), at: 3)
    #expect(try store.workload("app", before: "c") == version("a"))
    // Some of its pods serve on: that is no better.
    try store.workloadServed(version("b"), now: 4)
    #expect(try store.workload("app", before: "c") == version("a"))
    #expect(try store.workload("app", before: "a") == version("b"))
    // Resumed, and it came to its end.
    try store.setRolloutStopped(version("b"), at: nil)
    #expect(try store.workload("app", before: "c") == version("b"))
  }

  @Test func `a generation is known by what it was launched with, however much has served since`() throws {
    _ = try store.beginGeneration(pod: pod(1), workload: version("old"), now: 1)
    for number in 0..<20 {
      try store.workloadServed(version("v\(number)"), now: .epoch + Microseconds(UInt64(number + 2)))
    }
    let unit = UnitName(pod: pod(1), generation: 1)
    #expect(try store.workloadsOfOpenGenerations() == [unit: version("old")])
    try store.endGeneration(unit, reason: .operator, now: 50)
    #expect(try store.workloadsOfOpenGenerations().isEmpty)
    try store.workloadServed(version("last"), now: 51)
    #expect(try store.workload("app", before: "last") == version("v19"))
  }

  @Test func `a revert holds until it is forgotten`() throws {
    try store.revertWorkload("bad", to: version("good"))
    let reverts = try store.revertedWorkloads()
    #expect(reverts.map(\.rejected) == ["bad"] && reverts.map(\.good) == [version("good")])
    try store.forgetRevert(ofWorkload: "app")
    #expect(try store.revertedWorkloads().isEmpty)
  }
}
