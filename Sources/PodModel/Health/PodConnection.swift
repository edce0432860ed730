/// A TCP connection to a pod that its program has not closed, as the kernel's table has it.
public struct PodConnection: Sendable, Equatable {
  /// Of the socket that the program accepted; 0 while nobody has.
  public var inode: UInt32
  /// The other end's port.
  public var remotePort: UInt16
  /// Bytes that the other end has received.
  public var delivered: UInt64

  public init(inode: UInt32, remotePort: UInt16, delivered: UInt64) {
    self.inode = inode
    self.remotePort = remotePort
    self.delivered = delivered
  }

  public var isAccepted: Bool { inode != 0 }

  /// Whether the program did anything for anybody between two looks: it accepted a connection, finished one that
  /// it had accepted, or sent what the other end has received. A program that does is slow at worst; one that
  /// hangs does none of it.
  ///
  /// - Parameter probe: the local port of podd's own question, which does not count.
  public static func progress(from before: [PodConnection], to after: [PodConnection], besides probe: UInt16)
    -> Bool
  {
    let now = Dictionary(after.map { ($0.remotePort, $0) }, uniquingKeysWith: { first, _ in first })
    let known = Set(before.map(\.remotePort))
    // What came and was accepted since.
    if after.contains(where: { $0.isAccepted && $0.remotePort != probe && !known.contains($0.remotePort) }) {
      return true
    }
    return before.contains { (earlier: PodConnection) -> Bool in
      guard earlier.remotePort != probe else { return false }
      // Of one that was accepted: finished. One that was not may have been given up by its other end.
      guard let later = now[earlier.remotePort] else { return earlier.isAccepted }
      return later.isAccepted && !earlier.isAccepted || later.delivered > earlier.delivered
    }
  }
}
