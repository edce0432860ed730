/// A TCP connection to a pod that its program has not closed, from the kernel's table.
public struct PodConnection: Sendable, Equatable {
  /// The inode of the accepted socket; 0 until the program accepts the connection.
  public var inode: UInt32
  /// The client's port.
  public var remotePort: UInt16
  /// How many bytes the client has received.
  public var delivered: UInt64

  public init(inode: UInt32, remotePort: UInt16, delivered: UInt64) {
    self.inode = inode
    self.remotePort = remotePort
    self.delivered = delivered
  }

  public var isAccepted: Bool { inode != 0 }

  /// Whether the program served any client between two readings of the table: it accepted a connection, closed one
  /// that it had accepted, or sent bytes that a client has received. A program that hangs does none of these; one that
  /// does any of them is slow at worst.
  ///
  /// - Parameter probe: the local port of podd's own probe, which does not count.
  public static func progress(from before: [PodConnection], to after: [PodConnection], besides probe: UInt16)
    -> Bool
  {
    let now = Dictionary(after.map { ($0.remotePort, $0) }, uniquingKeysWith: { first, _ in first })
    let known = Set(before.map(\.remotePort))
    // A new connection was accepted.
    if after.contains(where: { $0.isAccepted && $0.remotePort != probe && !known.contains($0.remotePort) }) {
      return true
    }
    return before.contains { (earlier: PodConnection) -> Bool in
      guard earlier.remotePort != probe else { return false }
      // An accepted connection that is gone was closed by the program; any other may have been given up by its client.
      guard let later = now[earlier.remotePort] else { return earlier.isAccepted }
      return later.isAccepted && !earlier.isAccepted || later.delivered > earlier.delivered
    }
  }
}
