import Glibc
import PodModel
import Systemd

/// The alerts of one kind that wait for the service that handles them: one numbered file each, which the
/// service removes. A directory is needed because a unit instance receives nothing but its name.
struct AlertSpool {
  private static let root = "/run/podctl/alerts"
  /// A service that removes nothing must not fill the host's memory.
  static let limit = 100

  private let directory: String

  init(_ kind: AlertKind) {
    directory = Self.root + "/" + kind.rawValue
  }

  /// Whether no alert waits.
  var isEmpty: Bool { numbers().isEmpty }

  /// Adds files, oldest first, and removes the oldest beyond the limit; returns how many were removed.
  func add(_ texts: [String]) throws(Errno) -> Int {
    try Files.makeDirectory(Self.root, mode: 0o700)
    try Files.makeDirectory(directory, mode: 0o700)
    var numbers = numbers()
    for text in texts {
      let number = (numbers.last ?? 0) + 1
      try Files.replace(path(number), with: text, mode: 0o600)
      numbers.append(number)
    }
    let surplus = numbers.dropLast(Self.limit)
    for number in surplus { unlink(path(number)) }
    return surplus.count
  }

  private func numbers() -> [Int] {
    let names = (try? Files.names(in: directory)) ?? []
    return names.compactMap { $0.hasSuffix(".json") ? Int($0.dropLast(5)) : nil }.sorted()
  }

  private func path(_ number: Int) -> String {
    directory + "/" + padded(number, toWidth: 6) + ".json"
  }
}
