public import PodModel
public import Systemd

/// A settings mistake as GetStatus gives it: a dictionary in the array `SettingsMistakes`.
extension SettingsMistake {
  public var properties: [(key: String, value: Variant)] {
    let (kind, name) =
      switch subject {
      case .podd: ("podd", "")
      case .tier(let name): ("tier", name)
      case .workload(let name): ("workload", name)
      }
    return [
      ("Kind", .string(kind)), ("Name", .string(name)), ("File", .string(error.file)),
      ("Line", .uint(error.line.map { UInt64($0) } ?? PodBus.noSize)), ("Key", .string(error.key ?? "")),
      ("Message", .string(error.message)),
    ]
  }

  /// Nil for a kind of settings file that this podctl does not know.
  public init?(_ properties: Properties) {
    let name = properties.string("Name") ?? ""
    let subject: Subject
    switch properties.string("Kind") {
    case "podd": subject = .podd
    case "tier": subject = .tier(name)
    case "workload": subject = .workload(name)
    default: return nil
    }
    self.init(
      subject,
      SettingsError(
        file: properties.string("File") ?? "", line: properties.uint("Line").map { Int(clamping: $0) },
        key: properties.string("Key"), message: properties.string("Message") ?? ""))
  }
}

extension Properties {
  /// The mistakes that podd has found in settings files; none from a podd that does not list them.
  public var settingsMistakes: [SettingsMistake] {
    dictionaries("SettingsMistakes").compactMap { SettingsMistake($0) }
  }
}
