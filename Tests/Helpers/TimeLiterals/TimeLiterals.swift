public import Time

// Integer literals as times, for tests alone: there a time is often no more than an ordinal. 7 is seven microseconds, or
// that long after the clock's zero; which clock's, the context says.

extension Microseconds: ExpressibleByIntegerLiteral {
  public init(integerLiteral count: UInt64) { self.init(count) }
}

extension LoopTime: ExpressibleByIntegerLiteral {
  public init(integerLiteral count: UInt64) { self.init(sinceBoot: Microseconds(count)) }
}

extension WallTime: ExpressibleByIntegerLiteral {
  public init(integerLiteral count: UInt64) { self.init(sinceEpoch: Microseconds(count)) }
}
