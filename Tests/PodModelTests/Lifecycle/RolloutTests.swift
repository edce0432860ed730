import PodModel
import Testing
import Time
import TimeLiterals

@Suite struct RolloutTests {
  private static let pods = (1...5).map(PodName.init(number:))

  // MARK: Which pods

  private static func candidate(
    _ number: Int, _ state: PodState = .ready, _ wanted: Lifecycle.Wanted = .run, begunAt: WallTime? = 1,
    version: String = "old"
  ) -> Rollout.Candidate {
    Rollout.Candidate(
      pod: PodName(number: number), state: state, wanted: wanted, begunAt: begunAt, version: version)
  }

  private func chosen(_ candidates: [Rollout.Candidate], _ mode: Rollout.Mode) -> [Int] {
    Rollout.pods(candidates, mode, startedAt: 100, version: "new").map(\.number)
  }

  @Test func `a restart replaces every pod that is wanted to run, by number`() {
    let candidates = [
      Self.candidate(3), Self.candidate(1, .backoff), Self.candidate(2, .cold, .cold),
      Self.candidate(4, .stopped, .stopped), Self.candidate(5, begunAt: 200, version: "new"),
    ]
    #expect(chosen(candidates, .restart) == [1, 3, 5])
  }

  @Test func `a resumed rollout leaves alone what was launched after it began, and serves`() {
    let candidates = [
      Self.candidate(1, begunAt: 99), Self.candidate(2, begunAt: 100),
      Self.candidate(3, .starting, begunAt: 200), Self.candidate(4, .backoff, begunAt: nil),
      Self.candidate(5, .cold, .cold, begunAt: nil),
    ]
    #expect(chosen(candidates, .resume) == [1, 3, 4])
  }

  @Test func `a reverted rollout leaves alone what serves with the earlier version`() {
    let candidates = [
      Self.candidate(1, version: "new"), Self.candidate(2), Self.candidate(3, .starting, version: "new"),
    ]
    #expect(chosen(candidates, .revert) == [2, 3])
  }

  @Test func `a rollout that is done cannot be resumed`() {
    #expect(Rollout.Outcome.allCases.filter(\.canResume) == [.running, .stopped])
  }

  // MARK: Batches

  @Test func `each pod is in one batch, and a pod that is no longer wanted in none`() {
    var rollout = Rollout(tier: "free", pods: Self.pods, batchSize: 2)
    var batches: [[Int]] = []
    while let batch = rollout.nextBatch(where: { $0.number != 4 }) { batches.append(batch.map(\.number)) }
    #expect(batches == [[1, 2], [3], [5]])
    #expect(rollout.total == 5)
  }

  @Test func `a batch of which no pod is left is empty, and not the end`() {
    var rollout = Rollout(tier: "free", pods: Self.pods, batchSize: 2)
    let batches = (0..<4).map { _ in rollout.nextBatch { $0.number > 2 }?.map(\.number) }
    #expect(batches == [[], [3, 4], [5], nil])
  }

  @Test func `a batch may be larger than the tier`() {
    var rollout = Rollout(tier: "free", pods: Self.pods, batchSize: .max)
    #expect(rollout.nextBatch { _ in true } == Self.pods)
    #expect(rollout.nextBatch { _ in true } == nil)
  }

  @Test func `the error names the pod, how far it came, and why`() {
    var rollout = Rollout(tier: "free", pods: Self.pods)
    rollout.countReplaced()
    let stop = Rollout.Stop(pod: Self.pods[1], why: "no")
    #expect(rollout.sentence(stop) == "the rollout of tier free stopped at pod-002 after 1 of 5 pods: no")
    #expect(stop.description == "pod-002: no")
  }

  // MARK: The proof

  private static func member(
    _ number: Int, _ state: PodState = .ready, generation: Int? = 2, stopCause: EndReason? = nil,
    lastEnd: EndReason? = .operator
  ) -> Rollout.Member {
    let pod = PodName(number: number)
    return Rollout.Member(
      pod: pod, state: state, unit: generation.map { UnitName(pod: pod, generation: $0) },
      stopCause: stopCause,
      lastEnd: lastEnd)
  }

  private static let batch = [member(1), member(2)]
  private let proof = Rollout.Proof(of: batch, for: .seconds(1), now: .zero + .seconds(5))

  private func stop(_ second: Rollout.Member) -> String? {
    do throws(Rollout.Stop) {
      _ = try proof.check([Self.member(1), second], now: .zero + .milliseconds(5100))
      return nil
    } catch {
      return error.description
    }
  }

  @Test func `a batch that stays ready for long enough is proven`() throws {
    #expect(try proof.check(Self.batch, now: .zero + .seconds(5)) == .wait(.milliseconds(250)))
    #expect(try proof.check(Self.batch, now: .zero + .milliseconds(5900)) == .wait(.milliseconds(100)))
    #expect(try proof.check(Self.batch, now: .zero + .seconds(6)) == .proven)
  }

  @Test func `without a duration the first check is the proof, and without an end there is none`() throws {
    #expect(try Rollout.Proof(of: Self.batch, for: 0, now: 7).check(Self.batch, now: 7) == .proven)
    let endless = Rollout.Proof(of: Self.batch, for: .infinity, now: 7)
    #expect(try endless.check(Self.batch, now: .zero + Microseconds(1 << 60)) == .wait(.milliseconds(250)))
  }

  @Test func `a pod that ended stops it, with the reason of that end`() {
    #expect(
      stop(Self.member(2, .backoff, generation: nil, lastEnd: .exited(1)))
        == "pod-002: it did not stay ready (exited:1) and is backoff")
  }

  @Test func `a pod that serves again with another generation has not stayed ready`() {
    #expect(
      stop(Self.member(2, generation: 3, lastEnd: .signal("SEGV")))
        == "pod-002: it did not stay ready (signal:SEGV) and is ready")
  }

  @Test func `a pod that is being stopped is judged by the reason for the stop, not by its earlier end`() {
    #expect(
      stop(Self.member(2, .stopping, stopCause: .health))
        == "pod-002: it did not stay ready (health) and is stopping")
    #expect(stop(Self.member(2, .stopping, stopCause: .idle, lastEnd: .exited(1))) == nil)
  }

  @Test(arguments: [EndReason.operator, .idle, .pressure, .leak])
  func `an end that somebody wanted says nothing against a pod`(_ reason: EndReason) {
    #expect(stop(Self.member(2, .cold, generation: nil, lastEnd: reason)) == nil)
  }

  @Test func `a pod without an end on record is named all the same`() {
    #expect(
      stop(Self.member(2, .crashLoop, generation: nil, lastEnd: nil))
        == "pod-002: it did not stay ready (no reason on record) and is crash-loop")
  }

  @Test func `of several pods the first one is named`() {
    #expect(throws: Rollout.Stop(pod: Self.pods[0], why: "it did not stay ready (oomd) and is backoff")) {
      try proof.check(
        [Self.member(1, .backoff, lastEnd: .oomd), Self.member(2, .backoff, lastEnd: .health)],
        now: .zero + .milliseconds(5100)
      )
    }
  }
}
