/// A settings file and its drop-ins, as they were read from a host.
public struct SettingsFiles: Sendable, Equatable {
  /// Nil when no directory has the file, or it cannot be read.
  public var main: SettingsFragment?
  /// In the order in which they count.
  public var dropIns: [SettingsFragment] = []
  /// Files that are there and cannot be read.
  public var unreadable: [SettingsError] = []

  /// The main file and the drop-ins, as the parsers take them.
  public var fragments: [SettingsFragment] { (main.map { [$0] } ?? []) + dropIns }

  /// Whether the files define something; a mask, or a drop-in alone, does not.
  public var isDefinition: Bool {
    if let main { return !main.isMask }
    return !unreadable.isEmpty
  }

  /// What a path held.
  public enum Content: Sendable, Equatable {
    case bytes([UInt8])
    /// Nothing is there, or not any more.
    case missing
    /// Why it cannot be read.
    case unreadable(String)
  }

  /// Reads what SettingsSearch finds.
  /// - Parameters:
  ///   - fileName: The main file's name, with `.conf`.
  ///   - directories: The directories that may hold it, highest priority first.
  ///   - names: The names in a directory, also those of directories.
  ///   - content: What a file holds.
  public init(
    _ fileName: String, in directories: [String], names: (_ directory: String) -> [String],
    content: (_ path: String) -> Content
  ) {
    func listings(_ directories: [String]) -> [SettingsSearch.Listing] {
      directories.map { SettingsSearch.Listing(directory: $0, fileNames: names($0)) }
    }
    let places = listings(directories)
    main = SettingsSearch.main(fileName, in: places).flatMap { read($0, content) }
    // Most files have no drop-ins, and then there is nothing else to look at.
    let dropInPlaces = places.filter { $0.fileNames.contains("\(fileName).d") }
    dropIns = SettingsSearch.dropIns(in: listings(dropInPlaces.map { "\($0.directory)/\(fileName).d" }))
      .compactMap { read($0, content) }
  }

  private mutating func read(_ path: String, _ content: (String) -> Content) -> SettingsFragment? {
    switch content(path) {
    case .bytes(let bytes): return SettingsFragment(path: path, contents: bytes)
    case .missing: return nil
    case .unreadable(let reason):
      unreadable.append(SettingsError(file: path, message: "it cannot be read: \(reason)"))
      return nil
    }
  }
}

/// Every settings file of a host, read without podd: what `podctl doctor` does.
public enum SettingsSurvey {
  /// All mistakes: podd's own settings first, then tiers and workloads by name.
  /// - Parameters:
  ///   - root: Put before each of `SettingsSearch.directories`.
  ///   - physicalMemory: The host's memory in bytes, to which percentages refer.
  public static func mistakes(
    root: String, physicalMemory: UInt64, names: (_ directory: String) -> [String],
    content: (_ path: String) -> SettingsFiles.Content
  ) -> [SettingsMistake] {
    let directories = SettingsSearch.directories.map { root + $0 }
    func files(_ name: String, _ below: String) -> SettingsFiles {
      SettingsFiles("\(name).conf", in: directories.map { $0 + below }, names: names, content: content)
    }
    func definitions(_ below: String) -> [(name: String, files: SettingsFiles)] {
      let listings = directories.map {
        SettingsSearch.Listing(directory: $0 + below, fileNames: names($0 + below))
      }
      return SettingsSearch.names(in: listings).map { ($0, files($0, below)) }.filter(\.files.isDefinition)
    }
    let workloads = definitions("/workloads")
    let workloadNames = Set(workloads.map(\.name))
    let podd = files("podd", "")
    var mistakes = podd.check { PoddSettings.check($0) }.mistakes(.podd)
    for (name, files) in definitions("/tiers") {
      let tier = files.check {
        TierFile.check(name: name, fragments: $0, physicalMemory: physicalMemory) {
          workloadNames.contains($0)
        }
      }
      mistakes += tier.mistakes(.tier(name))
    }
    for (name, files) in workloads {
      mistakes += files.check { WorkloadFile.check(name: name, fragments: $0) }.mistakes(.workload(name))
    }
    return mistakes
  }
}

extension SettingsFiles {
  /// What `parse` makes of the files; a failure when one of them cannot be read.
  public func check<Value>(
    _ parse: ([SettingsFragment]) -> Result<Value, SettingsErrors>
  ) -> Result<Value, SettingsErrors> {
    if let errors = SettingsErrors(unreadable) { return .failure(errors) }
    return parse(fragments)
  }
}

extension Result where Failure == SettingsErrors {
  /// The mistakes of what did not parse.
  fileprivate func mistakes(_ subject: SettingsMistake.Subject) -> [SettingsMistake] {
    guard case .failure(let errors) = self else { return [] }
    return errors.all.map { SettingsMistake(subject, $0) }
  }
}
