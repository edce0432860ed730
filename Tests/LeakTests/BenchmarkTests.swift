import LeakBench
import PodModel
import Testing

/// A small part of the benchmark of docs/leak-benchmark.md, on a seed that is not used for tuning.
@Suite struct BenchmarkTests {
  static let score = {
    var score = Score(name: "podctl")
    for trace in Traces(seed: 1001, count: 160) { score.add(.detector, trace) }
    return score
  }()

  @Test func recycledPodsLeak() {
    #expect(Self.score.precision >= 0.95, "\(Report.wrong(Self.score))")
  }

  @Test func leaksAreFoundBeforeTheyMeetTheirLimit() {
    #expect(Self.score.recall >= 0.95, "\(Report.wrong(Self.score))")
  }

  @Test func aSeedDrawsTheSameTracesAgain() {
    for (one, other) in zip(Traces(seed: 3, count: 40), Traces(seed: 3, count: 40)) {
      #expect(one.samples == other.samples && one.memoryMax == other.memoryMax)
    }
  }

  @Test func leaksMeetTheirLimitWithTheirLastSampleAndHealthyPodsNever() {
    for trace in Traces(seed: 2, count: 200) {
      let over = trace.samples.map { $0.held >= trace.memoryMax }
      #expect(over.last == trace.isLeak, "\(trace.name) \(trace.kind)")
      if !trace.isLeak { #expect(!over.contains(true), "\(trace.name) \(trace.kind)") }
      #expect(trace.samples.allSatisfy { $0.current <= trace.memoryMax }, "\(trace.name) \(trace.kind)")
      #expect(zip(trace.samples, trace.samples.dropFirst()).allSatisfy { $0.at < $1.at }, "\(trace.name)")
    }
  }
}
