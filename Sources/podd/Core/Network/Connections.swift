import CLinux
import Glibc
import PodModel
import Systemd
import Time

extension PodConnection {
  fileprivate init(_ found: linux_tcp_connection) {
    self.init(inode: found.inode, remotePort: found.remote_port, delivered: found.delivered)
  }
}

/// The pods' connections in the kernel's tables.
enum Connections {
  /// The network of all pods' addresses, by its first 16 bits.
  private static let podNetwork = ipv4("127.77.0.0")

  /// All connections to a pod, of all its generations, in no order. One walk of the kernel's connection
  /// table.
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

  /// The connections to all pods in one walk, by the pod's port, which no two pods share.
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

  /// How long ago the last connection to each pod ended, by the pod's port, within the last minute. This
  /// walks the table four times, for both families and both ends.
  ///
  /// - Parameter isOwn: whether a connection is podd's own, by the pod's port and the other end's port.
  static func lastEndsOfAllPods(
    except isOwn: @escaping (_ port: UInt16, _ remote: UInt16) -> Bool
  ) throws(Errno) -> [UInt16: Microseconds] {
    guard let network = podNetwork else { return [:] }
    typealias Walk = (ago: [UInt16: Microseconds], isOwn: (UInt16, UInt16) -> Bool)
    // The table may have tens of thousands of entries; one number is kept for each pod.
    var walk: Walk = ([:], isOwn)
    let result = withUnsafeMutablePointer(to: &walk) {
      linux_tcp_ended_connections(
        network, 16, 0,
        { walk, connection in
          guard let walk = walk?.assumingMemoryBound(to: Walk.self), let end = connection?.pointee,
            !walk.pointee.isOwn(end.local_port, end.remote_port)
          else { return }
          let ago = Microseconds.milliseconds(UInt64(end.ended_ago))
          walk.pointee.ago[end.local_port] = min(walk.pointee.ago[end.local_port] ?? .infinity, ago)
        }, $0)
    }
    guard result == 0 else { throw Errno(result, "list the pods' ended connections") }
    return walk.ago
  }

  /// The connections that the holders of `sockets` accepted. This tells the two generations of a pod apart,
  /// which listen at the same address. Connections that nobody has accepted yet are left out.
  static func owned(_ connections: [PodConnection], by sockets: Set<UInt32>) -> [PodConnection] {
    connections.filter { $0.isAccepted && sockets.contains($0.inode) }
  }

  /// A tenant decides how many processes and descriptors there are.
  nonisolated static let mostDescriptors = 20_000
  private static let mostTime: Microseconds = .milliseconds(500)

  /// The inodes of all sockets that these processes hold, looked up off the loop. A process that has ended holds none.
  /// Nil: they hold too many descriptors to look at, or the kernel does not tell.
  @LoopActor
  static func sockets(
    of pids: [pid_t], mostDescriptors: Int = mostDescriptors
  ) async -> Set<UInt32>? {
    let found = try? await BackgroundThread.run { () throws(Errno) -> Set<UInt32>? in
      var walk = DescriptorWalk(left: mostDescriptors, deadline: Clock.loop + mostTime)
      for pid in pids {
        guard try walk.collect(pid) else { return nil }
      }
      return walk.inodes
    }
    return found ?? nil
  }
}

/// A bounded look at processes' descriptors.
private struct DescriptorWalk {
  var left: Int
  let deadline: LoopTime
  private(set) var inodes: Set<UInt32> = []

  init(left: Int, deadline: LoopTime) {
    self.left = left
    self.deadline = deadline
  }

  /// Adds a process's sockets; false when the bounds are met.
  mutating func collect(_ pid: pid_t) throws(Errno) -> Bool {
    let path = "/proc/\(pid)/fd"
    let directory: Directory
    do throws(Errno) {
      directory = try Directory(path)
    } catch {
      if error.code == ENOENT || error.code == ESRCH { return true }
      throw error
    }
    while let descriptor = try directory.next() {
      left -= 1
      guard left > 0, left % 64 != 0 || Clock.loop < deadline else { return false }
      guard let target = Files.linkTarget("\(path)/\(descriptor)"), target.hasPrefix("socket:["),
        let inode = UInt32(target.dropFirst("socket:[".count).dropLast())
      else { continue }
      inodes.insert(inode)
    }
    return true
  }
}
