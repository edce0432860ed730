import Glibc

/// What was read from settings files, good for as long as neither they nor the directories that were searched for
/// them change: every launch asks for its tier and its workload, and reading them is a tenth of its time.
struct SettingsCache<Value> {
  private var entries: [String: (value: Value, stamps: FileStamps)] = [:]

  /// The value kept under `name`, unless something that it was read from has changed.
  func value(_ name: String) -> Value? {
    guard let entry = entries[name], entry.stamps.areCurrent else { return nil }
    return entry.value
  }

  /// Keeps a value, but not one read from files that had just changed: the kernel's time stamps are too coarse to
  /// show a second change right after the first.
  mutating func keep(_ value: Value, _ name: String, _ stamps: FileStamps) {
    entries[name] = stamps.areSettled ? (value, stamps) : nil
  }
}

/// What stat(2) said of some paths before they were read.
struct FileStamps {
  /// Nil where there was nothing.
  private var stamps: [(path: String, stamp: FileStamp?)] = []
  private let taken = time(nil)

  init(_ paths: [String]) {
    for path in paths { add(path) }
  }

  mutating func add(_ path: String) { stamps.append((path, FileStamp(path))) }

  var areCurrent: Bool { stamps.allSatisfy { FileStamp($0.path) == $0.stamp } }

  /// Nothing had changed within the second before.
  var areSettled: Bool { stamps.allSatisfy { $0.stamp.map { $0.changed.tv_sec < taken - 1 } ?? true } }
}

/// Enough of stat(2) to tell whether a file or a directory is the one that it was.
struct FileStamp: Equatable {
  private let device: UInt
  private let inode: UInt
  private let size: Int
  fileprivate let changed: timespec

  init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    (device, inode, size, changed) = (status.st_dev, status.st_ino, status.st_size, status.st_ctim)
  }

  static func == (a: FileStamp, b: FileStamp) -> Bool {
    a.device == b.device && a.inode == b.inode && a.size == b.size
      && a.changed.tv_sec == b.changed.tv_sec && a.changed.tv_nsec == b.changed.tv_nsec
  }
}
