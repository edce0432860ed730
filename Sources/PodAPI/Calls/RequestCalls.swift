public import PodModel
public import Systemd
public import Time

/// The argument of `ReportRequests`: what a front door has counted since its last report.
public struct RequestsReport: CallBody, Equatable {
  public static let signature = "a(stat)"
  /// More pods are an error: a front door has further calls.
  public static let mostRows = 256

  public var pods: [RequestCountsRow]

  public var subject: String { "" }

  public init(pods: [RequestCountsRow]) {
    self.pods = pods
  }

  public init(reading message: borrowing Message) throws(BusError) {
    pods = try [RequestCountsRow](reading: message, atMost: Self.mostRows)
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try pods.append(to: message)
  }
}

/// The reply of `ListRequests`.
public struct CountedRequests: MessageBody, Equatable {
  public static let signature = "ta(stat)"

  /// All requests that ended before this time are counted; nil if no front door has ever reported.
  public var until: LoopTime?
  /// Counted since podd started. A pod that had no request is missing.
  public var pods: [RequestCountsRow]

  /// By the pod's name; nil if no front door has ever reported.
  public var ofPods: [String: RequestCounts]? {
    until.map { _ in Dictionary(pods.map { ($0.pod, $0.counts) }, uniquingKeysWith: { $1 }) }
  }

  public init(until: LoopTime?, pods: [RequestCountsRow]) {
    self.until = until
    self.pods = pods
  }

  public init(reading message: borrowing Message) throws(BusError) {
    until = try message.readOptionalLoopTime()
    pods = try [RequestCountsRow](reading: message)
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.appendOptional(until)
    try pods.append(to: message)
  }
}
