internal import Glibc
public import Time

/// How much a tree holds.
public struct TreeSize: Sendable, Equatable {
  /// The bytes of its regular files without their holes; of a file with several names, the share of the names
  /// that are in the tree.
  public var bytes: UInt64
  /// False: there are more files than could be counted, or somebody moved them meanwhile; the tree holds at
  /// least `bytes`.
  public var isComplete: Bool

  public init(bytes: UInt64 = 0, isComplete: Bool = true) {
    self.bytes = bytes
    self.isComplete = isComplete
  }
}

extension FileTree {
  /// Counts a tree's regular files.
  /// - Parameter entriesMax: of all kinds; it bounds the memory too.
  /// - Returns: nil when there is no directory of that name, or it cannot be read.
  public static func size(_ path: String, entriesMax: Int, until deadline: LoopTime) -> TreeSize? {
    guard let place = try? TreePlace.find(path), let root = try? Directory(place.name, in: place.parent.raw),
      var cursor = try? TreeCursor(root.descriptor)
    else { return nil }
    var size = TreeSize()
    do throws(Errno) {
      size.isComplete = try count(&cursor, &size.bytes, entriesMax, deadline)
    } catch {
      size.isComplete = false
    }
    return size
  }

  private static func count(
    _ cursor: inout TreeCursor, _ bytes: inout UInt64, _ entriesMax: Int, _ deadline: LoopTime
  ) throws(Errno) -> Bool {
    var entries = 0
    while true {
      guard let entry = try cursor.next() else {
        if cursor.isAtTop { return true }
        try cursor.ascend()
        continue
      }
      entries += 1
      guard entries <= entriesMax, entries % 64 != 0 || Clock.loop < deadline else { return false }
      guard let status = FileStatus(entry.name, in: cursor.directory.descriptor) else { continue }
      switch status.kind {
      case .regular: bytes &+= status.held / UInt64(max(1, status.links))
      case .directory where status.mount == cursor.mount: try cursor.descend(entry.name)
      default: break
      }
    }
  }
}
