public import Time

/// podd's own settings, `podd.conf`: the keys of section `[Podd]`.
public struct PoddSettings: Sendable, Equatable {
  /// The tier of a user that is provisioned without one.
  public var defaultTier = "free"
  /// The range of pods' ports. A pod keeps its port when the range changes.
  public var portRange: ClosedRange<Int> = 10001...19999
  /// The users besides root who may connect to pods, by name or uid; nil: all users of the host.
  public var frontUsers: [String]?
  /// How many launches may be under way at once, 1–64: dbus-daemon allows 128 pending replies (facts 4).
  public var launchesMax = 8
  /// The pause before the first restart of a pod that ended by itself; it doubles with each further one.
  public var restartDelay: Microseconds = .milliseconds(100)
  /// The longest such pause.
  public var restartMaxDelay: Microseconds = .minutes(1)
  /// How many starts are allowed within `startLimitInterval`; one more is a crash loop.
  public var startLimitBurst = 5
  public var startLimitInterval: Microseconds = .minutes(1)
  /// How often each pod's memory is read.
  public var memorySampleInterval: Microseconds = .seconds(10)
  /// When memory counts as short, and what podd may do then.
  public var shortage = Shortage.Policy()
  /// What is done about a pod that leaks, unless its tier says otherwise.
  public var leakAction = LeakAction.recycle
  /// How many pods are recycled for a leak within an hour, on the whole host.
  public var leakRecyclesPerHour = 12
  /// How long a pod may stall at its memory limit; infinite means for ever.
  public var stallTimeout: Microseconds = .minutes(1)
  /// How many bytes the memory history of all pods may take; 0 keeps none.
  public var historyMaxUse: UInt64 = 1 << 30

  public init() {}

  /// Reads podd's settings. No file at all means the defaults.
  /// - Parameter fragments: The main file if there is one, then the drop-ins in the order of
  ///   `SettingsSearch.dropIns`.
  /// - Throws: The first mistake.
  public static func parse(_ fragments: [SettingsFragment]) throws(SettingsError) -> PoddSettings {
    try check(fragments).mapError(\.first).get()
  }

  /// As `parse`, with all mistakes.
  public static func check(_ fragments: [SettingsFragment]) -> Result<PoddSettings, SettingsErrors> {
    Result { () throws(SettingsErrors) in
      var file = PoddFile()
      let origins = try file.read(fragments, mainFile: "podd.conf")
      if file.settings.restartDelay > file.settings.restartMaxDelay {
        throw SettingsErrors(
          origins.error(
            lastOf: .RestartSec, .RestartMaxDelaySec,
            message: "RestartSec= is longer than RestartMaxDelaySec=; make it the shorter"))
      }
      return file.settings
    }
  }
}

private struct PoddFile: SettingsFile {
  enum Key: String, CaseIterable {
    case DefaultTier
    case PortRange
    case FrontUsers
    case LaunchesMax
    case RestartSec
    case RestartMaxDelaySec
    case StartLimitBurst
    case StartLimitIntervalSec
    case MemorySampleSec
    case MemoryPressureLimit
    case MemoryAvailableMin
    case ShortageAction
    case LeakAction
    case LeakRecyclesPerHour
    case StallTimeoutSec
    case HistoryMaxUse
  }

  static let section = "Podd"

  var settings = PoddSettings()
  private let defaults = PoddSettings()

  mutating func assign(_ key: Key, _ value: String) throws(ValueError) {
    switch key {
    case .DefaultTier:
      settings.defaultTier = try parsed(value, else: defaults.defaultTier, SettingsValue.tierName)
    case .PortRange:
      settings.portRange = try parsed(value, else: defaults.portRange, SettingsValue.portRange)
    case .FrontUsers:
      settings.frontUsers = try parsed(value, else: defaults.frontUsers, SettingsValue.users)
    case .LaunchesMax:
      settings.launchesMax = try parsed(value, else: defaults.launchesMax) { text throws(ValueError) in
        try SettingsValue.integer(text, in: 1...64)
      }
    case .RestartSec:
      settings.restartDelay = try parsed(value, else: defaults.restartDelay, SettingsValue.pause)
    case .RestartMaxDelaySec:
      settings.restartMaxDelay = try parsed(
        value, else: defaults.restartMaxDelay, SettingsValue.interval)
    case .StartLimitBurst:
      settings.startLimitBurst = try parsed(value, else: defaults.startLimitBurst) {
        text throws(ValueError) in
        try SettingsValue.integer(text, in: 1...1000)
      }
    case .StartLimitIntervalSec:
      settings.startLimitInterval = try parsed(
        value, else: defaults.startLimitInterval, SettingsValue.interval)
    case .MemorySampleSec:
      settings.memorySampleInterval = try parsed(
        value, else: defaults.memorySampleInterval, SettingsValue.interval)
    case .MemoryPressureLimit:
      settings.shortage.pressureLimit = try parsed(
        value, else: defaults.shortage.pressureLimit, SettingsValue.share)
    case .MemoryAvailableMin:
      settings.shortage.availableMin = try parsed(
        value, else: defaults.shortage.availableMin, SettingsValue.share)
    case .ShortageAction:
      settings.shortage.action = try parsed(
        value, else: defaults.shortage.action, SettingsValue.shortageAction)
    case .LeakAction:
      settings.leakAction = try parsed(value, else: defaults.leakAction, SettingsValue.leakAction)
    case .LeakRecyclesPerHour:
      settings.leakRecyclesPerHour = try parsed(value, else: defaults.leakRecyclesPerHour) {
        text throws(ValueError) in
        try SettingsValue.integer(text, in: 0...10000)
      }
    case .StallTimeoutSec:
      settings.stallTimeout = try parsed(
        value, else: defaults.stallTimeout, SettingsValue.timeout)
    case .HistoryMaxUse:
      settings.historyMaxUse = try parsed(value, else: defaults.historyMaxUse, SettingsValue.bytes)
    }
  }
}
