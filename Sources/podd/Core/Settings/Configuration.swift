import Glibc
import PodModel
import PodStore
import Systemd

/// The settings in force. A change of a tier's or a workload's file applies to the next launch, without a reload; a
/// reload reads all files and reports their mistakes. It belongs to the loop, as its owner `PodHost` does; tests use it
/// without a loop.
final class Configuration {
  /// One tier and the file it came from.
  struct TierSource {
    let tier: Tier
    let file: String
  }

  enum Failure: Error, CustomStringConvertible {
    case settings(SettingsErrors)
    case noSuchTier(String, known: [String])
    case noSuchWorkload(String, tier: String)

    var description: String {
      switch self {
      case .settings(let errors): errors.description
      case .noSuchTier(let name, let known):
        "there is no tier \(name): known are \(known.joined(separator: ", ")); a tier is a file in "
          + "/etc/podctl/tiers"
      case .noSuchWorkload(let name, let tier):
        "tier \(tier) names the workload \(name), and there is no /etc/podctl/workloads/\(name).conf or "
          + "/usr/lib/podctl/workloads/\(name).conf"
      }
    }

    /// Where the first mistake is, for a journal entry.
    var journalFields: PodEvent.Fields {
      guard case .settings(let errors) = self else { return [] }
      return errors.first.journalFields
    }
  }

  /// Bytes; what `MemoryMax=10%` is a part of.
  let physicalMemory: UInt64
  private let directories: [String]
  private var tiers = SettingsTable<TierSource>()
  private var workloads = SettingsTable<WorkloadSource>()
  private var poddMistakes: SettingsErrors?
  /// By workload: the version that an admin went back from, and what is used in its place.
  private var reverts: [String: (rejected: String, good: WorkloadVersion)] = [:]
  /// The directories that `readAll` has listed, as it needs each of them for every file. Nil at other times.
  private var listed: [(directory: String, names: [String], stamps: FileStamps)]?

  /// - Parameter root: Put before each of `SettingsSearch.directories`; a test has a directory of its own.
  init(root: String = "") {
    directories = SettingsSearch.directories.map { root + $0 }
    physicalMemory =
      UInt64(max(sysconf(CInt(_SC_PHYS_PAGES)), 1)) * UInt64(max(sysconf(CInt(_SC_PAGESIZE)), 1))
  }

  /// podd's own settings, as the files say now.
  func podd() throws(Failure) -> PoddSettings {
    let (files, _) = find("podd", below: "")
    switch files.check(PoddSettings.check) {
    case .success(let settings):
      poddMistakes = nil
      return settings
    case .failure(let errors):
      poddMistakes = errors
      throw .settings(errors)
    }
  }

  // MARK: Tiers

  func tierNames() -> [String] { names("/tiers") }

  /// The tier in force, for a launch or a placement.
  func tier(_ name: String) throws(Failure) -> TierSource {
    guard (try? SettingsValue.tierName(name)) != nil else { throw .noSuchTier(name, known: tierNames()) }
    let source: TierSource?
    do throws(SettingsErrors) {
      source = try tiers.inForce(name) { readTier(name) }
    } catch {
      throw .settings(error)
    }
    guard let source else { throw .noSuchTier(name, known: tierNames()) }
    return source
  }

  /// The tier's policy in force, or else the last one that was. Nil only for a tier that no file defines, or whose
  /// file has not parsed since podd was started.
  func policy(ofTier name: String) -> Tier? {
    do throws(Failure) {
      return try tier(name).tier
    } catch {
      return tiers.last(name)?.tier ?? limits(ofTier: name)
    }
  }

  /// The tier as its file has it, also when its workload is missing: that prevents launches, but the limits still hold
  /// for the pods that run.
  private func limits(ofTier name: String) -> Tier? {
    guard (try? SettingsValue.tierName(name)) != nil else { return nil }
    var stamps = FileStamps()
    let files = find(name, below: "/tiers", &stamps)
    guard files.isDefinition else { return nil }
    let tier = files.check { fragments in
      TierFile.check(name: name, fragments: fragments, physicalMemory: physicalMemory) { _ in true }
    }
    return try? tier.get()
  }

  private func readTier(_ name: String) -> SettingsTable<TierSource>.Reading {
    var stamps = FileStamps()
    let files = find(name, below: "/tiers", &stamps)
    guard files.isDefinition else { return (nil, stamps) }
    let tier = files.check { fragments in
      TierFile.check(name: name, fragments: fragments, physicalMemory: physicalMemory) { workload in
        if let known = workloads.currentStamps(workload) {
          stamps.append(known)
          return true
        }
        return find(workload, below: "/workloads", &stamps).isDefinition
      }
    }
    return (tier.map { TierSource(tier: $0, file: files.main?.path ?? "") }, stamps)
  }

  // MARK: Workloads

  func workload(of tier: Tier) throws(Failure) -> Workload { try workloadSource(of: tier).workload }

  /// The workload in force, for a launch of a pod of `tier`.
  func workloadSource(of tier: Tier) throws(Failure) -> WorkloadSource {
    let source: WorkloadSource?
    do throws(SettingsErrors) {
      source = try workloads.inForce(tier.workload) { readWorkload(tier.workload) }
    } catch {
      throw .settings(error)
    }
    guard let source else { throw .noSuchWorkload(tier.workload, tier: tier.name) }
    return source
  }

  private func readWorkload(_ name: String) -> SettingsTable<WorkloadSource>.Reading {
    let (files, stamps) = find(name, below: "/workloads")
    guard files.isDefinition else { return (nil, stamps) }
    let source = files.check { fragments in
      var (text, fragments) = (WorkloadSource.text(of: fragments), fragments)
      if let revert = reverts[name], revert.rejected == WorkloadSource.version(of: text) {
        text = revert.good.text
        let path = "\(files.main?.path ?? name) (an earlier version)"
        fragments = [SettingsFragment(path: path, text: text)]
      }
      return WorkloadFile.check(name: name, fragments: fragments)
        .map { WorkloadSource(workload: $0, text: text) }
    }
    return (source, stamps)
  }

  /// What podd knows of all tiers and workloads, to see whether it has changed.
  struct Policies: Equatable {
    let tiers: [String: Tier]
    let workloads: [String: Workload]
  }

  var policies: Policies {
    Policies(tiers: tiers.all.mapValues(\.tier), workloads: workloads.all.mapValues(\.workload))
  }

  // MARK: Mistakes

  /// Reads the files of every tier and workload, also those that nobody uses yet. A file that does not parse leaves the
  /// previous policy in force, if there is one, until it parses again.
  /// - Returns: All mistakes, each with its consequence; podd's own are those that `podd()` found last.
  func readAll() -> [(mistake: SettingsMistake, consequence: String)] {
    listed = []
    defer { listed = nil }
    workloads.reportMistakes(names("/workloads"), readWorkload)
    tiers.reportMistakes(tierNames(), readTier)
    return mistakes.map { ($0, consequence(of: $0)) }
  }

  /// The mistakes that `readAll` found and that are still there: podd's own settings first, then tiers and workloads by
  /// name.
  var mistakes: [SettingsMistake] {
    func list(
      _ reported: [String: SettingsErrors], _ subject: (String) -> SettingsMistake.Subject
    ) -> [SettingsMistake] {
      reported.sorted { $0.key < $1.key }.flatMap { name, errors in
        errors.all.map { SettingsMistake(subject(name), $0) }
      }
    }
    return (poddMistakes?.all ?? []).map { SettingsMistake(.podd, $0) }
      + list(tiers.reported, SettingsMistake.Subject.tier)
      + list(workloads.reported, SettingsMistake.Subject.workload)
  }

  private func consequence(of mistake: SettingsMistake) -> String {
    func keeps(_ what: String, _ hasPrevious: Bool) -> String {
      hasPrevious
        ? "\(what) keeps its previous settings until this is corrected"
        : "\(what) cannot be used until this is corrected"
    }
    return switch mistake.subject {
    case .podd: "podd's own settings stay as they are"
    case .tier(let name): keeps("tier \(name)", tiers.last(name) != nil)
    case .workload(let name): keeps("workload \(name)", workloads.last(name) != nil)
    }
  }

  /// Reads as `readAll` does, and logs one entry for each mistake. To be called after `podd()`.
  func logMistakes() {
    for (mistake, consequence) in readAll() {
      var fields = mistake.error.journalFields
      if case .tier(let name) = mistake.subject { fields.append((.tier, name)) }
      PodEvent.settingsError("\(mistake); \(consequence).", fields).log()
    }
  }

  /// For a rollout, which is to apply what the files of a tier and of its workload say: throws their mistakes, also where
  /// the previous policy is in force.
  func checkFiles(ofTier name: String) throws(Failure) {
    let tier = try tier(name).tier
    _ = try workloadSource(of: tier)
    if let errors = tiers.reported[name] ?? workloads.reported[tier.workload] { throw .settings(errors) }
  }

  /// Whether `readAll` has reported a mistake of this tier's files that is still there.
  func isReported(tier name: String) -> Bool { tiers.reported[name] != nil }

  // MARK: Going back

  /// The fingerprint of what the files say, whether they parse or not; nil when there are none.
  func versionOnDisk(ofWorkload name: String) -> String? {
    let fragments = find(name, below: "/workloads").files.fragments
    return fragments.isEmpty ? nil : WorkloadSource.version(of: WorkloadSource.text(of: fragments))
  }

  func isReverted(_ workload: String) -> Bool { reverts[workload] != nil }

  /// What the files say is used again.
  func endRevert(of workload: String) {
    reverts[workload] = nil
    workloads.forget(workload)
  }

  /// Uses `good` for as long as the files say `rejected`.
  func revert(_ rejected: String, to good: WorkloadVersion) {
    reverts[good.workload] = (rejected, good)
    workloads.forget(good.workload)
  }

  private func names(_ below: String) -> [String] {
    var stamps = FileStamps()
    let listings = directories.map { directory in
      SettingsSearch.Listing(directory: directory + below, fileNames: names(in: directory + below, &stamps))
    }
    return SettingsSearch.names(in: listings)
  }

  /// The main file and its drop-ins.
  private func find(_ name: String, below: String) -> (files: SettingsFiles, stamps: FileStamps) {
    var stamps = FileStamps()
    return (find(name, below: below, &stamps), stamps)
  }

  private func find(_ name: String, below: String, _ stamps: inout FileStamps) -> SettingsFiles {
    SettingsFiles(
      "\(name).conf", in: directories.map { $0 + below }, names: { names(in: $0, &stamps) },
      content: { path in
        let read = stamps.reading(path) { () throws(Errno) in
          try FileDescriptor.open(path, O_RDONLY).readAll(limit: 2 << 20)
        }
        switch read {
        case .success(let bytes): return .bytes(bytes)
        case .failure(let error):
          return error.code == ENOENT ? .missing : .unreadable(error.text)
        }
      })
  }

  private func names(in directory: String, _ stamps: inout FileStamps) -> [String] {
    if let known = listed?.first(where: { $0.directory == directory }) {
      stamps.append(known.stamps)
      return known.names
    }
    var own = FileStamps()
    let read = own.reading(directory) { () throws(Errno) in try Files.names(in: directory) }
    stamps.append(own)
    let names = (try? read.get()) ?? []
    listed?.append((directory, names, own))
    return names
  }
}

extension SettingsError {
  /// The place of the mistake.
  var journalFields: PodEvent.Fields {
    [(.configFile, file)] + (line.map { [(.configLine, String($0))] } ?? [])
      + (key.map { [(.configKey, $0)] } ?? [])
  }
}
