import CLinux
import Glibc
import Systemd

/// What was read from settings files, valid until they, or the directories that were searched for them, change. Every
/// launch needs its tier and its workload, and reading them takes a tenth of a launch.
struct SettingsCache<Value> {
  private var entries: [String: (value: Value, stamps: FileStamps)] = [:]

  /// The value kept under `name`, unless something that it was read from has changed.
  func value(_ name: String) -> Value? { current(name)?.value }

  /// The stamps of that value.
  func currentStamps(_ name: String) -> FileStamps? { current(name)?.stamps }

  private func current(_ name: String) -> (value: Value, stamps: FileStamps)? {
    guard let entry = entries[name], entry.stamps.areCurrent else { return nil }
    return entry
  }

  mutating func forget(_ name: String) { entries[name] = nil }

  /// Keeps a value, unless files that it was read from could not be read or had just changed: the kernel's time
  /// stamps are too coarse to show a second change right after the first.
  mutating func keep(_ value: Value, _ name: String, _ stamps: FileStamps) {
    entries[name] = stamps.areWhole && stamps.areSettled ? (value, stamps) : nil
  }
}

/// What stat(2) returned for each path before it was read.
struct FileStamps {
  /// Nil where there was nothing.
  private var stamps: [(path: String, stamp: FileStamp?)] = []
  private let taken = time(nil)
  /// Everything that was there could be read.
  private(set) var areWhole = true
  private var othersAreSettled = true

  /// Reads a file or a directory. It is stamped first, so that a change during the read is noticed the next time.
  mutating func reading<Content>(
    _ path: String, _ read: () throws(Errno) -> Content
  ) -> Result<Content, Errno> {
    stamps.append((path, FileStamp(path)))
    do throws(Errno) {
      return .success(try read())
    } catch {
      if error.code != ENOENT { areWhole = false }
      return .failure(error)
    }
  }

  /// What was read depends on these files too.
  mutating func append(_ others: FileStamps) {
    stamps += others.stamps
    areWhole = areWhole && others.areWhole
    othersAreSettled = othersAreSettled && others.areSettled
  }

  var areCurrent: Bool { stamps.allSatisfy { FileStamp($0.path) == $0.stamp } }

  /// Nothing had changed within the second before it was read.
  var areSettled: Bool {
    othersAreSettled && stamps.allSatisfy { $0.stamp.map { $0.changedSeconds < taken - 1 } ?? true }
  }
}

/// Enough of stat(2) to know whether a file or a directory is still the same.
struct FileStamp: Equatable {
  private let device, inode: UInt64
  private let size: Int64
  fileprivate let changedSeconds: Int64
  private let changedNanoseconds: Int64

  init?(_ path: String) {
    var stamp = linux_file_stamp()
    guard linux_stamp(path, &stamp) == 0 else { return nil }
    (device, inode, size) = (stamp.device, stamp.inode, stamp.size)
    (changedSeconds, changedNanoseconds) = (stamp.changed_seconds, stamp.changed_nanoseconds)
  }
}
