import Glibc
import PodModel
import PodStore
import Systemd

/// The settings in force, as the files say whenever they matter: what an admin has changed applies to the next
/// launch without a reload, and a broken file harms nothing that runs.
@LoopActor
final class Configuration {
  /// One tier and the file it came from.
  struct TierSource {
    let tier: Tier
    let file: String
  }

  enum Failure: Error, CustomStringConvertible {
    case settings(SettingsError)
    case noSuchTier(String, known: [String])
    case noSuchWorkload(String, tier: String)

    var description: String {
      switch self {
      case .settings(let error): error.description
      case .noSuchTier(let name, let known):
        "there is no tier \(name): known are \(known.joined(separator: ", ")); a tier is a file in "
          + "/etc/podctl/tiers"
      case .noSuchWorkload(let name, let tier):
        "tier \(tier) names the workload \(name), and there is no /etc/podctl/workloads/\(name).conf or "
          + "/usr/lib/podctl/workloads/\(name).conf"
      }
    }
  }

  /// Bytes; what `MemoryMax=10%` is a part of.
  let physicalMemory: UInt64
  private var tiers = SettingsCache<TierSource>()
  private var workloads = SettingsCache<WorkloadSource>()
  /// By workload: the version that an admin went back from, and what is used in its place.
  private var reverts: [String: (rejected: String, good: WorkloadVersion)] = [:]

  init() {
    physicalMemory =
      UInt64(max(sysconf(CInt(_SC_PHYS_PAGES)), 1)) * UInt64(max(sysconf(CInt(_SC_PAGESIZE)), 1))
  }

  func podd() throws(Failure) -> PoddSettings {
    let found = find(below: "", "podd.conf")
    do throws(SettingsError) {
      return try PoddSettings.parse(found.fragments)
    } catch {
      throw .settings(error)
    }
  }

  func tierNames() -> [String] { names("/tiers") }

  func tier(_ name: String) throws(Failure) -> TierSource {
    if let known = tiers.value(name) { return known }
    guard (try? SettingsValue.tierName(name)) != nil else { throw .noSuchTier(name, known: tierNames()) }
    let found = find(below: "/tiers", "\(name).conf")
    guard let main = found.fragments.first, !main.isMask else { throw .noSuchTier(name, known: tierNames()) }
    do throws(SettingsError) {
      let tier = try TierFile.parse(name: name, fragments: found.fragments, physicalMemory: physicalMemory)
      let source = TierSource(tier: tier, file: main.path)
      tiers.keep(source, name, found.stamps)
      return source
    } catch {
      throw .settings(error)
    }
  }

  func workload(of tier: Tier) throws(Failure) -> Workload { try workloadSource(of: tier).workload }

  func workloadSource(of tier: Tier) throws(Failure) -> WorkloadSource {
    let name = tier.workload
    if let known = workloads.value(name) { return known }
    let found = find(below: "/workloads", "\(name).conf")
    guard let main = found.fragments.first, !main.isMask else { throw .noSuchWorkload(name, tier: tier.name) }
    var text = WorkloadSource.text(of: found.fragments)
    var fragments = found.fragments
    if let revert = reverts[name], revert.rejected == WorkloadSource.version(of: text) {
      text = revert.good.text
      fragments = [SettingsFragment(path: "\(main.path) (an earlier version)", contents: Array(text.utf8))]
    }
    do throws(SettingsError) {
      let workload = try WorkloadFile.parse(name: name, fragments: fragments)
      let source = WorkloadSource(workload: workload, text: text)
      workloads.keep(source, name, found.stamps)
      return source
    } catch {
      throw .settings(error)
    }
  }

  // MARK: Going back

  /// The fingerprint of what the files say, whether it makes sense or not; nil when there are none.
  func versionOnDisk(ofWorkload name: String) -> String? {
    let fragments = find(below: "/workloads", "\(name).conf").fragments
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
    return SettingsSearch.names(in: listings(SettingsSearch.directories.map { $0 + below }, &stamps))
  }

  /// The main file and its drop-ins. What cannot be read counts as not there, as long as that lasts.
  private func find(below: String, _ fileName: String) -> (
    fragments: [SettingsFragment], stamps: FileStamps
  ) {
    let directories = SettingsSearch.directories.map { $0 + below }
    let dropInDirectories = directories.map { "\($0)/\(fileName).d" }
    var stamps = FileStamps()
    let main = SettingsSearch.main(fileName, in: listings(directories, &stamps))
    let dropIns = SettingsSearch.dropIns(in: listings(dropInDirectories, &stamps))
    let fragments = ([main].compactMap { $0 } + dropIns).compactMap { path in
      stamps.reading(path) { () throws(Errno) in
        let contents = try FileDescriptor.open(path, O_RDONLY).readAll(limit: 2 << 20)
        return SettingsFragment(path: path, contents: contents)
      }
    }
    return (fragments, stamps)
  }

  private func listings(_ directories: [String], _ stamps: inout FileStamps) -> [SettingsSearch.Listing] {
    directories.map { directory in
      let names = stamps.reading(directory) { () throws(Errno) in try Files.names(in: directory) }
      return SettingsSearch.Listing(directory: directory, fileNames: names ?? [])
    }
  }
}
