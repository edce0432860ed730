/// The host at a glance: what podd says of itself, and its pods counted.
public struct HostStatus {
  private let host: String
  private let properties: Properties
  private let pods: [PodRow]
  private let users: UInt64

  /// - Parameters:
  ///   - host: The host's name.
  ///   - properties: The reply of `GetStatus`.
  public init(host: String, _ properties: Properties, _ pods: [PodRow], users: UInt64) {
    self.host = host
    self.properties = properties
    self.pods = pods
    self.users = users
  }

  /// How many pods are in each state; the most frequent state comes first.
  public static func podsByState(_ pods: [PodRow]) -> [(state: String, count: Int)] {
    Dictionary(grouping: pods, by: \.state).map { (state: $0.key, count: $0.value.count) }
      .sorted { ($1.count, $0.state) < ($0.count, $1.state) }
  }

  /// The object of `podctl status --json`.
  public var json: JSON {
    let states = Self.podsByState(pods).map { (key: $0.state, value: JSON.uint(UInt64($0.count))) }
    let own: [(key: String, value: JSON)] = [
      ("host", .string(host)), ("pods", .uint(UInt64(pods.count))), ("users", .uint(users)),
      ("pods_by_state", .object(states)),
      ("memory_current", .uint(pods.compactMap(\.memoryCurrent).reduce(0, +))),
    ]
    return .object(own + properties.jsonMembers(excluding: Set(own.map(\.key))))
  }
}
