/// Where settings files are searched and which of them takes precedence: systemd's rules
/// (systemd.syntax(7), `systemd-analyze cat-config podctl/podd.conf`). The caller reads directories and files.
public enum SettingsSearch {
  /// Highest priority first, as in systemd's CONF_PATHS.
  public static let directories = [
    "/etc/podctl", "/run/podctl", "/usr/local/lib/podctl", "/usr/lib/podctl",
  ]

  /// The file names found in one directory. A directory that does not exist has none.
  public struct Listing: Sendable, Equatable {
    public var directory: String
    public var fileNames: [String]

    public init(directory: String, fileNames: [String]) {
      self.directory = directory
      self.fileNames = fileNames
    }
  }

  /// The names for which one of the directories holds `NAME.conf`, sorted: the tiers or workloads of a host.
  /// The caller leaves out those whose main file is a mask (`SettingsFragment.isMask`) when it has read it.
  public static func names(in listings: [Listing]) -> [String] {
    let names = listings.flatMap(\.fileNames).filter(isSettingsFile).map { String($0.dropLast(5)) }
    return Set(names).sorted(by: bytewise)
  }

  /// The main file: the one in the first listing that has it. It hides those in later listings.
  public static func main(_ fileName: String, in listings: [Listing]) -> String? {
    listings.first { $0.fileNames.contains(fileName) }.map { $0.directory + "/" + fileName }
  }

  /// The drop-ins in the order in which they are read after the main file: sorted by file name over all
  /// `NAME.conf.d` directories together. Of two with the same name only the one of higher priority counts, so an empty
  /// file masks.
  public static func dropIns(in listings: [Listing]) -> [String] {
    var directories: [String: String] = [:]
    for listing in listings {
      for name in listing.fileNames where isSettingsFile(name) && directories[name] == nil {
        directories[name] = listing.directory
      }
    }
    return directories.sorted { bytewise($0.key, $1.key) }.map { $0.value + "/" + $0.key }
  }

  /// Hidden files and everything without `.conf` are not settings: editors' backups, dpkg's `.dpkg-new`.
  private static func isSettingsFile(_ name: String) -> Bool {
    name.utf8.count > 5 && name.hasSuffix(".conf") && !name.hasPrefix(".")
  }

  /// The order of strcmp(); Swift's own comparison treats canonically equivalent names as equal.
  private static func bytewise(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
  }
}
