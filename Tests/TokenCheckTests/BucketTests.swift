import PodModel
import Seeded
import Testing
import Time

@testable import TokenCheck

private func rate(_ count: UInt32, _ period: Microseconds, _ burst: UInt32) throws -> RequestRate {
  try #require(RequestRate(count: count, period: period, burst: burst))
}

private func user(_ name: String) throws -> UserName { try UserName(validating: name) }

private let start = LoopTime(sinceBoot: .hours(3))

@Suite struct BucketTests {
  /// Asked all the time, exactly burst + time × rate requests pass, whatever the moments.
  @Test(arguments: [
    (100, 60_000_000, 20), (3, 1_000_000, 2), (7, 1_000_000, 5), (1, 3_600_000_000, 2),
    (100_000, 1_000_000, 50),
  ])
  func exactlyBurstAndTimeTimesRate(count: UInt32, period: UInt64, burst: UInt32) throws {
    let rate = try rate(count, Microseconds(period), burst)
    var random = SeededGenerator(UInt64(count))
    var bucket = TokenBucket(rate, now: start)
    var elapsed: UInt64 = 0
    var admitted: UInt64 = 0
    // Between two moments comes less than a request, so the bucket is never full and wastes nothing.
    let step = max(1, period / UInt64(count) / 3)
    for _ in 0..<30_000 {
      while bucket.take(rate, now: start + Microseconds(elapsed)) == .admitted { admitted += 1 }
      #expect(admitted == UInt64(burst) + elapsed * UInt64(count) / period)
      elapsed += UInt64.random(in: 0...step, using: &random)
    }
  }

  @Test func sixtyAtOnce() throws {
    let rate = try rate(100, .minutes(1), 20)
    var bucket = TokenBucket(rate, now: start)
    let admitted = (0..<60).filter { _ in bucket.take(rate, now: start) == .admitted }.count
    #expect(admitted == 20)
    // 0.6 s for the next one.
    #expect(bucket.take(rate, now: start) == .refused(retryAfter: 1))
    #expect(bucket.take(rate, now: start + .milliseconds(599)) == .refused(retryAfter: 1))
    #expect(bucket.take(rate, now: start + .milliseconds(600)) == .admitted)
  }

  /// The stated second is enough, and the second before is not.
  @Test(arguments: [
    (1, 10_000_000), (1, 3_600_000_000), (7, 60_000_000), (3, 1_000_000), (13, 86_400_000_000),
  ])
  func retryAfterIsExact(count: UInt32, period: UInt64) throws {
    let rate = try rate(count, Microseconds(period), 2)
    var random = SeededGenerator(period)
    var now = start
    var bucket = TokenBucket(rate, now: now)
    for _ in 0..<2_000 {
      now += Microseconds(UInt64.random(in: 0...period / UInt64(count), using: &random))
      guard case .refused(let seconds) = bucket.take(rate, now: now) else { continue }
      #expect(seconds >= 1)
      var (early, late) = (bucket, bucket)
      #expect(late.take(rate, now: now + .seconds(seconds)) == .admitted)
      #expect(early.take(rate, now: now + .seconds(seconds - 1)) != .admitted)
    }
  }

  /// A third of a microsecond more than a second is two seconds.
  @Test func nothingIsRoundedDown() throws {
    let rate = try rate(3, Microseconds(3_000_001), 1)
    var bucket = TokenBucket(rate, now: start)
    #expect(bucket.take(rate, now: start) == .admitted)
    #expect(bucket.take(rate, now: start) == .refused(retryAfter: 2))
    #expect(bucket.take(rate, now: start + .seconds(1)) == .refused(retryAfter: 1))
    #expect(bucket.take(rate, now: start + .seconds(1) + Microseconds(1)) == .admitted)
  }

  @Test func aClockThatStandsStillOrGoesBackAddsNothing() throws {
    let rate = try rate(1, .seconds(1), 1)
    var bucket = TokenBucket(rate, now: start)
    #expect(bucket.take(rate, now: start) == .admitted)
    #expect(bucket.take(rate, now: start - .seconds(5)) == .refused(retryAfter: 1))
    #expect(bucket.take(rate, now: start) == .refused(retryAfter: 1))
    let late = start + .days(40_000)
    #expect(bucket.take(rate, now: late) == .admitted)
    #expect(bucket.take(rate, now: late) == .refused(retryAfter: 1))
  }

  @Test func aChangedRateCountsAtOnce() throws {
    let slow = try rate(1, .hours(1), 1)
    let fast = try rate(10, .seconds(1), 5)
    var bucket = TokenBucket(slow, now: start)
    #expect(bucket.take(slow, now: start) == .admitted)
    #expect(bucket.take(slow, now: start) == .refused(retryAfter: 3600))
    // What was not there before the change is not there after it.
    #expect(bucket.take(fast, now: start) == .refused(retryAfter: 1))
    #expect(bucket.take(fast, now: start + .milliseconds(100)) == .admitted)
    // A smaller burst cuts what has gathered.
    let later = start + .minutes(1)
    var full = bucket
    #expect((0..<9).filter { _ in full.take(fast, now: later) == .admitted }.count == 5)
    #expect((0..<9).filter { _ in bucket.take(slow, now: later) == .admitted }.count == 1)
    #expect(bucket.take(slow, now: later) == .refused(retryAfter: 3600))
  }

  @Test func boundsOfARate() throws {
    #expect(RequestRate(count: 0, period: .seconds(1), burst: 20) == nil)
    #expect(try rate(.max, .infinity, .max) == rate(1_000_000, .days(1), 1_000_000))
    #expect(try rate(1, .zero, 0) == rate(1, Microseconds(1), 1))
    let largest = try rate(.max, .infinity, .max)
    var bucket = TokenBucket(largest, now: .zero)
    let late = start + .days(40_000)
    #expect(bucket.take(largest, now: late) == .admitted)
    let smallest = try rate(1, Microseconds(1), 1)
    #expect(bucket.take(smallest, now: late) == .admitted)
    #expect(bucket.take(largest, now: late) == .refused(retryAfter: 1))
  }

  /// Over hours with many users, the table admits exactly what buckets that are never dropped admit.
  @Test func theTableForgetsOnlyFullBuckets() throws {
    var random = SeededGenerator(11)
    let rates = [try rate(100, .minutes(1), 20), try rate(2, .minutes(5), 3), try rate(1, .seconds(1), 2)]
    let users = try (0..<300).map { try user("user\($0)") }
    var kept: [UserName: TokenBucket] = [:]
    var table = BucketTable()
    var now = start
    var largest = 0
    for _ in 0..<40_000 {
      now += .milliseconds(UInt64.random(in: 0...2_000, using: &random))
      // Who asks changes with time, so that the others can be forgotten.
      let index = (Int(now.sinceBoot / .minutes(20)) * 30 + Int.random(in: 0..<40, using: &random)) % 300
      let rate = rates[index % 3]
      var bucket = kept[users[index]] ?? TokenBucket(rate, now: now)
      let wanted = bucket.take(rate, now: now)
      kept[users[index]] = bucket
      #expect(table.take(users[index], rate, now: now) == wanted)
      largest = max(largest, table.count)
    }
    #expect(kept.count == 300)
    #expect(largest < 150, "\(largest): nothing is forgotten")
  }

  @Test func theTableIsBounded() throws {
    let rate = try rate(1, .days(1), 1)
    var table = BucketTable(capacity: 100)
    for number in 0..<1_000 {
      #expect(table.take(try user("u\(number)"), rate, now: start) == .admitted)
      #expect(table.take(try user("u\(number)"), rate, now: start) == .refused(retryAfter: 86_400))
      #expect(table.count <= 100)
    }
  }
}
