import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodStore

@Suite struct GenerationTests {
  let scratch: Scratch
  let store: PlacementStore

  init() throws {
    scratch = try Scratch()
    store = try scratch.open()
    try store.place("alice")
  }

  private func begin(restart: Bool = false, now: WallTime) throws -> UnitName {
    UnitName(pod: pod(1), generation: try store.beginGeneration(pod: pod(1), restart: restart, now: now))
  }

  @Test func `a launch is recorded from its decision to its end`() throws {
    let unit = try begin(now: 10)
    #expect(unit.description == "pod-001-1.scope")
    #expect(try store.openGenerations().map(\.unit) == [unit])
    try store.generationStarted(
      unit, bootID: "boot", invocationID: "invocation", mainPID: 4711, mainStartTicks: .max, now: 11)
    try store.generationReady(unit, now: 12)
    #expect(try store.openGenerations().map(\.stopCause) == [nil])
    try store.setStopCause(.leak, asked: false, of: unit)
    #expect(try store.openGenerations().map(\.stopCause) == [.leak])
    // Its connections are waited for: it may end in the middle of that for a reason of its own.
    #expect(try store.openGenerations().map { GenerationRecord?($0).unseenEnd } == [.unknownAdopted])
    try store.setStopCause(.leak, asked: true, of: unit)
    #expect(try store.openGenerations().map { GenerationRecord?($0).unseenEnd } == [.leak])
    let evidence = #"{"memory.events":{"oom":1}}"#
    #expect(try store.endGeneration(unit, reason: .oomOwnLimit, evidence: evidence, now: 13))
    let record = try #require(try store.generations(ofPod: pod(1), limit: 10).first)
    #expect(record.bootID == "boot" && record.invocationID == "invocation")
    #expect(record.mainPID == 4711 && record.mainStartTicks == .max)
    #expect(record.begunAt == 10 && record.startedAt == 11 && record.readyAt == 12 && record.endedAt == 13)
    #expect(record.reason == .oomOwnLimit && record.evidence == evidence)
    #expect(try store.openGenerations().isEmpty)
    #expect(try store.pod(pod(1)).lastExitReason == .oomOwnLimit)
  }

  @Test func `an end is recorded once`() throws {
    let unit = try begin(now: 1)
    #expect(try store.endGeneration(unit, reason: .signal("KILL"), now: 2))
    #expect(try !store.endGeneration(unit, reason: .operator, now: 3))
    let record = try #require(try store.generations(ofPod: pod(1), limit: 1).first)
    #expect(record.reason == .signal("KILL") && record.endedAt == 2)
    #expect(try store.pod(pod(1)).lastExitReason == .signal("KILL"))
  }

  @Test func `the older of two overlapping generations does not hide the newer one's reason`() throws {
    let (old, new) = (try begin(now: 1), try begin(now: 2))
    #expect(try store.openGenerations().count == 2)
    try store.endGeneration(new, reason: .exited(3), now: 3)
    try store.endGeneration(old, reason: .operator, now: 4)
    #expect(try store.pod(pod(1)).lastExitReason == .exited(3))
  }

  @Test func `restarts are counted apart from launches`() throws {
    _ = try begin(now: 1)
    _ = try begin(restart: true, now: 2)
    let record = try store.pod(pod(1))
    #expect(record.generation == 2 && record.restarts == 1)
  }

  @Test func `every reason comes back as it was written`() throws {
    let reasons: [EndReason] = [
      .exited(0), .signal("SEGV"), .oomOwnLimit, .oomBystander, .leak, .pressure, .health, .startTimeout,
      .launchFailed(stage: .exec, error: "ENOENT"), .operator, .idle, .unknownAdopted,
    ]
    for reason in reasons { try store.endGeneration(try begin(now: 1), reason: reason, now: 2) }
    #expect(try store.generations(ofPod: pod(1), limit: 100).reversed().map(\.reason) == reasons)
  }

  @Test func `history is bounded, and what has not ended is never forgotten`() throws {
    let open = try begin(now: 0)
    for now in 1...250 {
      try store.endGeneration(try begin(now: .epoch + Microseconds(UInt64(now))), reason: .idle, now: 1)
    }
    let kept = try store.generations(ofPod: pod(1), limit: .max)
    #expect(kept.count == PlacementStore.generationsKept + 1)
    #expect(kept.first?.unit.generation == 251 && kept.last?.unit == open)
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `what does not exist is named, and nothing is written`() throws {
    #expect(throws: StoreError.noSuchPod(pod(9))) { try store.beginGeneration(pod: pod(9), now: 1) }
    let unit = UnitName(pod: pod(1), generation: 5)
    #expect(throws: StoreError.noSuchGeneration(unit)) { try store.generationReady(unit, now: 1) }
    #expect(throws: StoreError.noSuchGeneration(unit)) {
      try store.endGeneration(unit, reason: .idle, now: 1)
    }
    #expect(try store.generations(ofPod: pod(1), limit: 9).isEmpty)
  }

  @Test func `evidence that is not JSON is refused`() throws {
    let unit = try begin(now: 1)
    #expect(throws: StoreError.self) { try store.endGeneration(unit, reason: .leak, evidence: "{", now: 2) }
    #expect(try store.openGenerations().count == 1)
  }

  @Test func `the last lines join the evidence, whatever is in them`() throws {
    let unit = try begin(now: 1)
    try store.endGeneration(unit, reason: .exited(1), evidence: #"{"exit":"exited:1","log":null}"#, now: 2)
    try store.addLog(to: unit, lines: [#"a "quoted" \ line"#, "[1]", "null", "ü\u{FFFD}"])
    let record = try #require(try store.generations(ofPod: pod(1), limit: 1).first)
    #expect(
      record.evidence == #"{"exit":"exited:1","log":["a \"quoted\" \\ line","[1]","null","ü\#u{FFFD}"]}"#)
    #expect(record.reason == .exited(1) && record.endedAt == 2)
    try store.addLog(to: unit, lines: [])
    #expect(
      try store.generations(ofPod: pod(1), limit: 1).first?.evidence == #"{"exit":"exited:1","log":[]}"#)
  }

  @Test func `lines without other evidence are evidence, and bounded`() throws {
    let unit = try begin(now: 1)
    try store.endGeneration(unit, reason: .exited(1), now: 2)
    try store.addLog(to: unit, lines: ["last"])
    #expect(try store.generations(ofPod: pod(1), limit: 1).first?.evidence == #"{"log":["last"]}"#)
    try store.addLog(to: unit, lines: (1...1000).map(String.init))
    let evidence = try #require(try store.generations(ofPod: pod(1), limit: 1).first?.evidence)
    #expect(evidence.hasPrefix(#"{"log":["901","902""#) && evidence.hasSuffix(#""1000"]}"#))
    #expect(throws: StoreError.noSuchGeneration(UnitName(pod: pod(1), generation: 9))) {
      try store.addLog(to: UnitName(pod: pod(1), generation: 9), lines: ["x"])
    }
  }

  @Test func aLaunchOfAPodThatWasTakenBackDoesNotReachTheNextOfItsName() throws {
    let scratch = try Scratch()
    let store = try scratch.open()
    let first = try store.place("a", run: true, now: 1)
    try store.undoProvision(first)
    try store.forget(user: "a")
    #expect(try store.podCleaned(first.pod.name, remove: true))
    let second = try store.place("b", run: true, now: 2)
    #expect(second.pod.name == first.pod.name)
    #expect(throws: StoreError.noSuchPod(first.pod.name)) {
      _ = try store.beginGeneration(pod: first.pod.name, createdAt: first.pod.createdAt, now: 3)
    }
    #expect(try store.openGenerations().isEmpty)
    #expect(try store.beginGeneration(pod: second.pod.name, createdAt: second.pod.createdAt, now: 3) == 1)
  }
}
