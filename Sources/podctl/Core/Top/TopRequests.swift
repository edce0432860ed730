internal import PodAPI
internal import PodModel
internal import Time

/// A pod's requests through the front door, in the last seconds.
struct TopRequests: Equatable {
  /// Requests a second; nil until there are two readings.
  let rate: Double?
  /// What 95 of 100 requests did not exceed; nil without requests, infinity above the last bucket.
  let latency: Microseconds?

  /// The share of the requests whose latency is shown.
  static let share = 0.95
}

/// The last readings of all pods' requests, from which the next one gives rates and latencies.
struct RequestReadings {
  /// How far back they go, if updates come that often: the latency of a single request says little.
  static let window: Microseconds = .seconds(10)

  private struct Reading {
    let until: LoopTime
    let pods: [String: RequestCounts]
  }

  /// Oldest first, each of another time.
  private var readings: [Reading] = []

  /// - Parameter counted: nil from a podd that does not know requests.
  mutating func add(_ counted: CountedRequests?) {
    guard let counted, let until = counted.until, let pods = counted.ofPods else {
      readings = []
      return
    }
    if let last = readings.last, until <= last.until {
      // The host was booted, or podd has heard nothing since.
      if until < last.until { readings = [] } else { readings.removeLast() }
    }
    readings.append(Reading(until: until, pods: pods))
    // One that is as old as the window, or older, is where it begins.
    while readings.count > 2, until - readings[1].until >= Self.window { readings.removeFirst() }
  }

  /// What the pod had since the oldest reading; nil without a front door.
  func requests(ofPod pod: String) -> TopRequests? {
    guard let last = readings.last else { return nil }
    let now = last.pods[pod] ?? RequestCounts()
    for earlier in readings.dropLast() {
      // Counts begin again with podd, and with a pod.
      guard let new = now.since(earlier.pods[pod] ?? RequestCounts()) else { continue }
      return TopRequests(
        rate: Double(new.total) / (last.until - earlier.until).seconds,
        latency: new.latency(ofShare: TopRequests.share))
    }
    return TopRequests(rate: nil, latency: nil)
  }
}
