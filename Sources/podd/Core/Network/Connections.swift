import CLinux
import Glibc
import PodModel
import Systemd

extension PodConnection {
  fileprivate init(_ found: linux_tcp_connection) {
    self.init(inode: found.inode, remotePort: found.remote_port, delivered: found.delivered)
  }
}

/// What a drain waits for, as the kernel knows it.
enum Connections {
  /// Where all pods' addresses are: the first 16 bits.
  private static let podNetwork = ipv4("127.77.0.0")

  /// All connections to a pod, whichever of its generations they belong to, in no order. One walk of the
  /// kernel's connection table.
  static func of(address: String, port: Int) throws(Errno) -> [PodConnection] {
    guard let port = UInt16(exactly: port), let binary = ipv4(address) else {
      throw Errno(EINVAL, "count connections to \(address):\(port)")
    }
    var found: [PodConnection] = []
    let result = withUnsafeMutablePointer(to: &found) {
      linux_tcp_connections(
        binary, 32, port,
        { list, connection in
          guard let connection else { return }
          list?.assumingMemoryBound(to: [PodConnection].self).pointee.append(
            PodConnection(connection.pointee))
        }, $0)
    }
    guard result == 0 else { throw Errno(result, "count connections to \(address):\(port)") }
    return found
  }

  /// The same for all pods in one walk, by the port, of which no two pods have the same.
  static func ofAllPods() throws(Errno) -> [UInt16: [PodConnection]] {
    guard let network = podNetwork else { return [:] }
    var found: [UInt16: [PodConnection]] = [:]
    let result = withUnsafeMutablePointer(to: &found) {
      linux_tcp_connections(
        network, 16, 0,
        { list, connection in
          guard let connection else { return }
          list?.assumingMemoryBound(to: [UInt16: [PodConnection]].self)
            .pointee[connection.pointee.local_port, default: []].append(PodConnection(connection.pointee))
        }, $0)
    }
    guard result == 0 else { throw Errno(result, "count the pods' connections") }
    return found
  }

  /// How many milliseconds ago the last connection to each pod ended, by its port, within the last minute. The
  /// table is gone through four times, for both families and both ends.
  ///
  /// - Parameter isOwn: Whether a connection is podd's own, by the pod's port and the other end's.
  static func lastEndsOfAllPods(
    except isOwn: @escaping (_ port: UInt16, _ remote: UInt16) -> Bool
  ) throws(Errno) -> [UInt16: UInt32] {
    guard let network = podNetwork else { return [:] }
    typealias Walk = (ago: [UInt16: UInt32], isOwn: (UInt16, UInt16) -> Bool)
    // Of tens of thousands, only so much is kept as there are pods.
    var walk: Walk = ([:], isOwn)
    let result = withUnsafeMutablePointer(to: &walk) {
      linux_tcp_ended_connections(
        network, 16, 0,
        { walk, connection in
          guard let walk = walk?.assumingMemoryBound(to: Walk.self), let end = connection?.pointee,
            !walk.pointee.isOwn(end.local_port, end.remote_port)
          else { return }
          walk.pointee.ago[end.local_port] = min(walk.pointee.ago[end.local_port] ?? .max, end.ended_ago)
        }, $0)
    }
    guard result == 0 else { throw Errno(result, "list the pods' ended connections") }
    return walk.ago
  }

  /// Those that were accepted by the holders of `sockets`: the old generation's, where its successor listens at
  /// the same address. What nobody has accepted yet is left out.
  static func owned(_ connections: [PodConnection], by sockets: Set<UInt32>) -> [PodConnection] {
    connections.filter { $0.isAccepted && sockets.contains($0.inode) }
  }

  /// The inodes of all sockets that these processes hold. One that has ended holds none.
  static func sockets(of pids: some Sequence<pid_t>) throws(Errno) -> Set<UInt32> {
    var inodes: Set<UInt32> = []
    for pid in pids { try collect(&inodes, pid) }
    return inodes
  }

  private static func collect(_ inodes: inout Set<UInt32>, _ pid: pid_t) throws(Errno) {
    let path = "/proc/\(pid)/fd"
    let descriptors: [String]
    do throws(Errno) {
      descriptors = try Files.names(in: path)
    } catch {
      if error.code == ENOENT || error.code == ESRCH { return }
      throw error
    }
    for descriptor in descriptors {
      guard let target = Files.linkTarget("\(path)/\(descriptor)"), target.hasPrefix("socket:["),
        let inode = UInt32(target.dropFirst("socket:[".count).dropLast())
      else { continue }
      inodes.insert(inode)
    }
  }
}
