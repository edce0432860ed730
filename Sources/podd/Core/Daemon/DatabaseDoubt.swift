import Glibc
import Linux
import PodModel
import PodStore
import Systemd

/// Whether the database can be the one that belongs to this host's pods. A missing, empty or older one must not become
/// the truth: every running pod would look like a scope that nobody owns, and be stopped, and its users would be unknown
/// (decision 0024).
struct DatabaseDoubt: Error, CustomStringConvertible {
  let description: String

  /// What shows that this host has, or had, pods.
  struct Signs {
    /// Generations that podd has launched and that run.
    var running: [UnitName]
    /// Pods that have a state directory.
    var directories: [PodName]

    var isEmpty: Bool { running.isEmpty && directories.isEmpty }

    /// As a clause with a subject and a verb.
    var words: String {
      if let first = running.first {
        return running.count == 1 ? "\(first) runs" : "\(running.count) pods run"
      }
      let first = directories.first?.description ?? "a pod"
      return directories.count == 1
        ? "\(DataPlaces.host.pods)/\(first) exists"
        : "\(DataPlaces.host.pods) has directories of \(directories.count) pods"
    }
  }

  /// What this host shows now.
  @LoopActor
  static func signs() -> Signs {
    let names = (try? Files.names(in: DataPlaces.host.pods)) ?? []
    return Signs(running: LiveScopes.launched(), directories: names.compactMap { PodName($0) }.sorted())
  }

  /// Before the file is opened, which would make it. A file without content is a database that was never written.
  static func checkFile(_ file: String, _ signs: @autoclosure () -> Signs) throws(DatabaseDoubt) {
    var status = stat()
    if lstat(file, &status) == 0 {
      // What is no regular file is refused when it is opened.
      guard status.st_mode & S_IFMT == S_IFREG, status.st_size == 0 else { return }
    } else if errno != ENOENT {
      return
    }
    let signs = signs()
    if !signs.isEmpty { throw DatabaseDoubt(file, "is missing", signs.words) }
  }

  /// Before anything is stopped.
  ///
  /// - Parameters:
  ///   - isPristine: nothing was ever done with the database.
  ///   - lastGenerations: the latest launch of each pod on record.
  static func check(
    _ file: String, isPristine: Bool, lastGenerations: [PodName: Int], _ signs: Signs
  ) throws(DatabaseDoubt) {
    if isPristine && !signs.isEmpty { throw DatabaseDoubt(file, "is empty", signs.words) }
    let newer = signs.running.filter { $0.generation > lastGenerations[$0.pod] ?? 0 }
    if let first = newer.first {
      throw DatabaseDoubt(
        file, "is older than what runs", "\(first) runs, and was launched with another database")
    }
  }

  private init(_ file: String, _ what: String, _ why: String) {
    description =
      "\(file) \(what), but \(why). Nothing was changed, and the pods run on. Put the right database in its place, with "
      + "its -wal and -shm companions: systemctl mask --runtime podd.service first, so that no call over D-Bus starts "
      + "podd meanwhile, and unmask and start it afterwards. To begin again without data instead, stop pods.slice and move "
      + "\(DataPlaces.host.pods) and \(DataPlaces.host.kept) away (podd(8))."
  }
}
