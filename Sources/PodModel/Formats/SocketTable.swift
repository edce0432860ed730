/// The listening sockets in `/proc/net/tcp` or `/proc/net/tcp6` (proc(5)).
public enum SocketTable {
  public struct Listener: Sendable, Equatable {
    /// In hex, in words as the kernel stores them.
    public let address: Substring
    public let port: Int
    public let uid: UInt32
    /// Where a descriptor of the socket leads to in `/proc/PID/fd`: `socket:[INODE]`.
    public let link: String

    /// 127.77.0.0/16, where podd listens for pods: the last two bytes of the kernel's little-endian word.
    public var isOfPods: Bool { address.hasSuffix("4D7F") }
  }

  /// Lines that are no sockets, such as the heading, are left out.
  public static func listeners(in text: String) -> [Listener] {
    text.split(separator: "\n").compactMap { line in
      // Column 2 is ADDRESS:PORT, column 4 the state (0A is LISTEN), column 8 the uid, column 10 the inode.
      let fields = line.split(separator: " ")
      guard fields.count > 9, fields[3] == "0A", let colon = fields[1].lastIndex(of: ":"),
        let port = Int(fields[1][fields[1].index(after: colon)...], radix: 16), let uid = UInt32(fields[7])
      else { return nil }
      return Listener(address: fields[1][..<colon], port: port, uid: uid, link: "socket:[\(fields[9])]")
    }
  }
}
