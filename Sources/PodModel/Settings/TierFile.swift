internal import Time

/// A tier's settings, `tiers/NAME.conf`: the keys of section `[Tier]`.
public struct TierFile: SettingsFile {
  enum Key: String, CaseIterable {
    case UsersPerPod
    case DataMax
    case Workload
    case Rank
    case IdleFreezeSec
    case IdleStopSec
    case RequestRate
    case RequestBurst
    case ConnectionsMax
    case MemoryMax
    case MemoryHigh
    case MemoryLow
    case MemoryMin
    case MemorySwapMax
    case CPUQuota
    case CPUWeight
    case IOWeight
    case TasksMax
    case LeakAction
  }

  static let section = "Tier"

  private var tier: Tier
  private let defaults: Tier
  private let physicalMemory: UInt64

  /// Reads a tier.
  /// - Parameters:
  ///   - name: The file's name without `.conf`.
  ///   - fragments: The main file, then its drop-ins in the order of `SettingsSearch.dropIns`.
  ///   - physicalMemory: The host's memory in bytes, to which percentages refer.
  /// - Throws: The first mistake.
  public static func parse(
    name: String, fragments: [SettingsFragment], physicalMemory: UInt64
  ) throws(SettingsError) -> Tier {
    try check(name: name, fragments: fragments, physicalMemory: physicalMemory).mapError(\.first).get()
  }

  /// As `parse`, with all mistakes.
  /// - Parameter hasWorkload: Whether the host has a workload of that name.
  public static func check(
    name: String, fragments: [SettingsFragment], physicalMemory: UInt64,
    hasWorkload: (String) -> Bool = { _ in true }
  ) -> Result<Tier, SettingsErrors> {
    Result { () throws(SettingsErrors) in
      let path = fragments.first?.path ?? "tiers/\(name).conf"
      do throws(ValueError) {
        _ = try SettingsValue.tierName(name)
      } catch {
        throw SettingsErrors(SettingsError(file: path, message: error.message + "; rename the file"))
      }
      guard let main = fragments.first, !main.isMask else {
        throw SettingsErrors(
          SettingsError(file: path, message: "it is empty, which hides the tier; write [Tier] and its keys"))
      }
      var file = TierFile(name: name, physicalMemory: physicalMemory)
      let origins = try file.read(fragments, mainFile: path)
      do throws(SettingsError) {
        try file.checkAsAWhole(origins)
      } catch {
        throw SettingsErrors(error)
      }
      guard hasWorkload(file.tier.workload) else {
        let workload = "workloads/\(file.tier.workload).conf"
        throw SettingsErrors(
          origins.error(.Workload, "there is no /etc/podctl/\(workload) or /usr/lib/podctl/\(workload)"))
      }
      return file.tier
    }
  }

  private init(name: String, physicalMemory: UInt64) {
    tier = Tier(name: name)
    defaults = tier
    self.physicalMemory = physicalMemory
  }

  mutating func assign(_ key: Key, _ value: String) throws(ValueError) {
    switch key {
    case .UsersPerPod:
      tier.usersPerPod = try parsed(value, else: defaults.usersPerPod) { text throws(ValueError) in
        try SettingsValue.integer(text, in: 1...1000)
      }
    case .DataMax: tier.dataMax = try parsed(value, else: defaults.dataMax, positive(SettingsValue.size))
    case .Workload:
      tier.workload = try parsed(value, else: defaults.workload, SettingsValue.workloadName)
    case .Rank:
      tier.rank = try parsed(value, else: defaults.rank) { text throws(ValueError) in
        try SettingsValue.integer(text, in: 0...1000)
      }
    case .IdleFreezeSec:
      tier.idleFreeze = try parsed(value, else: defaults.idleFreeze, SettingsValue.idle)
    case .IdleStopSec:
      tier.idleStop = try parsed(value, else: defaults.idleStop, SettingsValue.idle)
    case .RequestRate: tier.requestRate = try parsed(value, else: nil, SettingsValue.requestRate)
    case .RequestBurst:
      tier.requestBurst = try parsed(value, else: defaults.requestBurst) { text throws(ValueError) in
        try SettingsValue.integer(text, in: 1...1_000_000)
      }
    case .ConnectionsMax:
      tier.connectionsMax = try parsed(value, else: defaults.connectionsMax) { text throws(ValueError) in
        text == "infinity" ? nil : try SettingsValue.integer(text, in: 1...1_000_000)
      }
    case .MemoryMax: tier.memoryMax = try parsed(value, else: defaults.memoryMax, positive(memory))
    case .MemoryHigh: tier.memoryHigh = try parsed(value, else: defaults.memoryHigh, positive(memory))
    case .MemoryLow: tier.memoryLow = try parsed(value, else: defaults.memoryLow, memory) ?? .max
    case .MemoryMin: tier.memoryMin = try parsed(value, else: defaults.memoryMin, memory) ?? .max
    case .MemorySwapMax: tier.memorySwapMax = try parsed(value, else: defaults.memorySwapMax, memory)
    case .CPUQuota:
      tier.cpuQuotaPerSec = try parsed(value, else: nil, SettingsValue.cpuQuota)
    case .CPUWeight: tier.cpuWeight = try parsed(value, else: nil, SettingsValue.cpuWeight)
    case .IOWeight: tier.ioWeight = try parsed(value, else: nil, SettingsValue.weight)
    case .LeakAction: tier.leakAction = try parsed(value, else: nil, SettingsValue.leakAction)
    case .TasksMax: tier.tasksMax = try parsed(value, else: defaults.tasksMax, SettingsValue.count)
    }
  }

  private func memory(_ text: String) throws(ValueError) -> UInt64? {
    try SettingsValue.memory(text, physicalMemory: physicalMemory)
  }

  /// No pod could start with a limit of 0; systemd refuses it for MemoryMax= too.
  private func positive(
    _ read: @escaping (String) throws(ValueError) -> UInt64?
  ) -> (String) throws(ValueError) -> UInt64? {
    { text throws(ValueError) in
      let limit = try read(text)
      guard limit != 0 else { throw ValueError("\(quoted(text)) leaves nothing; write more, or infinity") }
      return limit
    }
  }

  private func checkAsAWhole(_ origins: SettingsOrigins<Key>) throws(SettingsError) {
    let maximum = tier.memoryMax ?? .max
    if let high = tier.memoryHigh, high > maximum {
      throw origins.error(
        lastOf: .MemoryHigh, .MemoryMax,
        message: "MemoryHigh=\(high) is above MemoryMax=\(maximum) and would never act; lower MemoryHigh=")
    }
    if tier.memoryLow != .max, tier.memoryLow > maximum {
      throw origins.error(
        lastOf: .MemoryLow, .MemoryMax,
        message: "MemoryLow=\(tier.memoryLow) is above MemoryMax=\(maximum); lower MemoryLow=")
    }
    if tier.memoryMin != .max, tier.memoryMin > maximum {
      throw origins.error(
        lastOf: .MemoryMin, .MemoryMax,
        message: "MemoryMin=\(tier.memoryMin) is above MemoryMax=\(maximum); lower MemoryMin=")
    }
    if tier.idleFreeze != .zero, tier.idleStop != .zero, tier.idleFreeze > tier.idleStop {
      throw origins.error(
        lastOf: .IdleFreezeSec, .IdleStopSec,
        message: "the pod would be stopped before IdleFreezeSec= is over; make IdleStopSec= the longer")
    }
  }
}
