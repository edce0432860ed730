public import Systemd

/// The reply of GetPod, GetUser and GetStatus: named values, so that a newer podd may add some (decision 0007).
///
/// Names are systemd's where systemd has one (`MemoryHigh`, `TasksCurrent`, `CPUUsageNSec`). "" and
/// 18446744073709551615 stand for no value, and so does 0 in `MainPID`, `Since` and `…Timestamp`.
public struct Properties: MessageBody {
  public static let signature = "a{sv}"

  public private(set) var entries: [(key: String, value: Variant)]
  private let index: [String: Int]

  public init(_ entries: [(key: String, value: Variant)]) {
    self.entries = entries
    index = Dictionary(entries.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
  }

  public init(reading message: borrowing Message) throws(BusError) {
    self.init(try message.readVariantDictionary())
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(entries)
  }

  public subscript(key: String) -> Variant? { index[key].map { entries[$0].value } }

  /// Nil when absent, of another type, or "".
  public func string(_ key: String) -> String? {
    guard case .string(let text) = self[key], !text.isEmpty else { return nil }
    return text
  }

  /// Nil when absent, of another type, or "no value".
  public func uint(_ key: String) -> UInt64? {
    guard case .uint(let number) = self[key], number != PodBus.noSize else { return nil }
    return number == 0 && Self.zeroMeansAbsent(key) ? nil : number
  }

  public func double(_ key: String) -> Double? {
    guard case .double(let number) = self[key] else { return nil }
    return number
  }

  public func bool(_ key: String) -> Bool? {
    guard case .bool(let flag) = self[key] else { return nil }
    return flag
  }

  public func strings(_ key: String) -> [String] {
    guard case .array(let items) = self[key] else { return [] }
    return items.compactMap { if case .string(let text) = $0 { text } else { nil } }
  }

  /// The dictionaries of an array; elements of other types are left out.
  public func dictionaries(_ key: String) -> [Properties] {
    guard case .array(let items) = self[key] else { return [] }
    return items.compactMap { if case .dictionary(let entries) = $0 { Properties(entries) } else { nil } }
  }

  static func zeroMeansAbsent(_ key: String) -> Bool {
    key == "MainPID" || key == "Since" || key.hasSuffix("Timestamp")
  }
}

extension PodRow {
  /// The part of GetPod's reply that the row holds too.
  public var properties: [(key: String, value: Variant)] {
    [
      ("Pod", .string(pod)), ("Tier", .string(tier)), ("State", .string(state)),
      ("Unit", .string(unit ?? "")), ("MainPID", .uint(UInt64(mainPID ?? 0))),
      ("Address", .string(address)), ("FrontAddress", .string(frontAddress)),
      ("Port", .uint(UInt64(port))), ("Users", .uint(UInt64(users))),
      ("Generation", .uint(generation)), ("Restarts", .uint(restarts)),
      ("MemoryCurrent", .uint(memoryCurrent ?? PodBus.noSize)),
      ("MemoryAnon", .uint(memoryAnon ?? PodBus.noSize)),
      ("MemoryMax", .uint(memoryMax ?? PodBus.noSize)),
      ("LastExitReason", .string(lastExitReason ?? "")), ("Since", .time(since)),
    ]
  }

  /// Nil without a name or a state.
  public init?(_ properties: Properties) {
    guard let pod = properties.string("Pod"), let state = properties.string("State") else { return nil }
    self.init(
      pod: pod, tier: properties.string("Tier") ?? "", state: state,
      address: properties.string("Address") ?? "",
      frontAddress: properties.string("FrontAddress") ?? "",
      port: UInt16(clamping: properties.uint("Port") ?? 0))
    unit = properties.string("Unit")
    mainPID = properties.uint("MainPID").map { UInt32(clamping: $0) }
    users = UInt32(clamping: properties.uint("Users") ?? 0)
    generation = properties.uint("Generation") ?? 0
    restarts = properties.uint("Restarts") ?? 0
    memoryCurrent = properties.uint("MemoryCurrent")
    memoryAnon = properties.uint("MemoryAnon")
    memoryMax = properties.uint("MemoryMax")
    lastExitReason = properties.string("LastExitReason")
    since = properties.time("Since")
  }
}

extension UserRow {
  /// The part of GetUser's reply that the row holds too.
  public var properties: [(key: String, value: Variant)] {
    [
      ("User", .string(user)), ("Tier", .string(tier)), ("Pod", .string(pod ?? "")),
      ("State", .string(state ?? "")), ("DataBytes", .uint(dataBytes ?? PodBus.noSize)),
      ("Status", .string(status)), ("LastUsedTimestamp", .time(lastUsed)),
    ]
  }

  /// Nil without a name.
  public init?(_ properties: Properties) {
    guard let user = properties.string("User") else { return nil }
    self.init(
      user: user, tier: properties.string("Tier") ?? "", pod: properties.string("Pod"),
      state: properties.string("State"), dataBytes: properties.uint("DataBytes"),
      status: properties.string("Status") ?? "active")
    lastUsed = properties.time("LastUsedTimestamp")
  }
}
