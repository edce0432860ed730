import Glibc
import PodModel
import Systemd

/// The settings in force, read anew whenever they matter: what an admin has changed applies to the next
/// launch without a reload, and a broken file harms nothing that runs.
struct Configuration {
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

  init() {
    physicalMemory =
      UInt64(max(sysconf(CInt(_SC_PHYS_PAGES)), 1)) * UInt64(max(sysconf(CInt(_SC_PAGESIZE)), 1))
  }

  func podd() throws(Failure) -> PoddSettings {
    let fragments = fragments(below: "", "podd.conf")
    do throws(SettingsError) {
      return try PoddSettings.parse(fragments)
    } catch {
      throw .settings(error)
    }
  }

  func tierNames() -> [String] { names("/tiers") }

  func tier(_ name: String) throws(Failure) -> TierSource {
    guard (try? SettingsValue.tierName(name)) != nil else { throw .noSuchTier(name, known: tierNames()) }
    let fragments = fragments(below: "/tiers", "\(name).conf")
    guard let main = fragments.first, !main.isMask else { throw .noSuchTier(name, known: tierNames()) }
    do throws(SettingsError) {
      let tier = try TierFile.parse(name: name, fragments: fragments, physicalMemory: physicalMemory)
      return TierSource(tier: tier, file: main.path)
    } catch {
      throw .settings(error)
    }
  }

  func workload(of tier: Tier) throws(Failure) -> Workload {
    let fragments = fragments(below: "/workloads", "\(tier.workload).conf")
    guard let main = fragments.first, !main.isMask else {
      throw .noSuchWorkload(tier.workload, tier: tier.name)
    }
    do throws(SettingsError) {
      return try WorkloadFile.parse(name: tier.workload, fragments: fragments)
    } catch {
      throw .settings(error)
    }
  }

  private func names(_ below: String) -> [String] {
    SettingsSearch.names(in: listings(SettingsSearch.directories.map { $0 + below }))
  }

  /// The main file and its drop-ins; a file that vanishes while it is read counts as not there.
  private func fragments(below: String, _ fileName: String) -> [SettingsFragment] {
    let directories = SettingsSearch.directories.map { $0 + below }
    let main = SettingsSearch.main(fileName, in: listings(directories))
    let dropIns = SettingsSearch.dropIns(in: listings(directories.map { "\($0)/\(fileName).d" }))
    return ([main].compactMap { $0 } + dropIns).compactMap { path in
      guard let file = try? FileDescriptor.open(path, O_RDONLY),
        let contents = try? file.readAll(limit: 2 << 20)
      else { return nil }
      return SettingsFragment(path: path, contents: contents)
    }
  }

  private func listings(_ directories: [String]) -> [SettingsSearch.Listing] {
    directories.map { SettingsSearch.Listing(directory: $0, fileNames: Files.names(in: $0)) }
  }
}
