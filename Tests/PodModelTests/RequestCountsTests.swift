import PodModel
import Testing
import Time

@Suite struct RequestCountsTests {
  private func counts(_ milliseconds: UInt64...) -> RequestCounts {
    var counts = RequestCounts()
    for each in milliseconds { counts.add(latency: .milliseconds(each)) }
    return counts
  }

  @Test func aRequestIsInTheBucketWhoseBoundItDoesNotExceed() {
    #expect(counts(0, 1).latencies.first == 2)
    #expect(counts(2, 3, 5).latencies[1...2] == [1, 2])
    #expect(counts(60_000).latencies.suffix(2) == [1, 0])
    #expect(counts(60_001, 9_000_000).latencies.suffix(2) == [0, 2])
    var stream = counts(4)
    stream.add()
    stream.add(7)
    #expect(stream.total == 9 && stream.latencies.reduce(0, +) == 1, "a stream has no latency")
  }

  @Test func aShareOfTheRequestsIsFoundBetweenTheBoundsOfItsBucket() {
    #expect(RequestCounts().latency(ofShare: 0.95) == nil)
    // All in the bucket above 10 ms, up to 20 ms.
    #expect(counts(11, 12, 13, 14).latency(ofShare: 0.5) == .milliseconds(15))
    #expect(counts(11, 12, 13, 14).latency(ofShare: 1) == .milliseconds(20))
    // 95 quick ones and 5 slow ones: the slow ones begin behind the 95.
    var mixed = RequestCounts()
    for _ in 1...95 { mixed.add(latency: .milliseconds(1)) }
    for _ in 1...5 { mixed.add(latency: .milliseconds(800)) }
    #expect(mixed.latency(ofShare: 0.95) == .milliseconds(1))
    #expect(mixed.latency(ofShare: 0.96).map { $0 > .milliseconds(500) } == true)
    // A bucket without bound.
    #expect(counts(1, 70_000).latency(ofShare: 0.95) == .infinity)
  }

  @Test func onlyWhatCameLaterIsTheDifference() {
    let earlier = counts(3, 30)
    var later = earlier
    later += counts(30, 300)
    #expect(later.total == 4)
    #expect(later.since(earlier) == counts(30, 300))
    #expect(later.since(later) == RequestCounts())
    // They began again, as can be seen in a bucket although there are more of them.
    #expect(counts(300, 300, 300).since(earlier) == nil)
    #expect(counts(3).since(earlier) == nil)
  }

  @Test func countsOfOtherBucketsAreNone() {
    let number = RequestCounts.bounds.count + 1
    #expect(RequestCounts(total: 1, latencies: Array(repeating: 0, count: number)) != nil)
    for wrong in [0, number - 1, number + 1] {
      #expect(RequestCounts(total: 1, latencies: Array(repeating: 0, count: wrong)) == nil)
    }
    #expect(zip(RequestCounts.bounds, RequestCounts.bounds.dropFirst()).allSatisfy { $0 < $1 })
  }
}
