internal import CLinux

/// Which addresses and ports the sockets of a cgroup may be bound to: BPF programs of the kernel, which decide in
/// bind(2). They apply to sockets that were created in the cgroup, for as long as these exist.
extension Cgroup {
  /// Allows `port` at `address` and at all addresses at once, and ports that the kernel chooses at any address outside
  /// the first `prefixLength` bits of `network`, and at `address`. Does nothing in a cgroup that has such a limit.
  ///
  /// Addresses are IPv4, in network byte order.
  public borrowing func limitBinds(
    to address: UInt32, port: UInt16, network: UInt32, prefixLength: Int
  ) throws(CgroupError) {
    let mask = prefixLength == 0 ? 0 : (UInt32.max << UInt32(32 - prefixLength)).bigEndian
    let result = linux_limit_binds(descriptor, address, port, network & mask, mask)
    if result < 0 { throw .io(path: path, errno: -result) }
  }

  /// Refuses every bind(2) to processes with one of these uids. Does nothing in a cgroup that has such a limit.
  public borrowing func refuseBinds(uids: Range<UInt32>) throws(CgroupError) {
    let result = linux_refuse_binds(descriptor, uids.lowerBound, UInt32(uids.count))
    if result < 0 { throw .io(path: path, errno: -result) }
  }

  /// Whether one of these limits is in force.
  public var limitsBinds: Bool {
    borrowing get throws(CgroupError) {
      let result = linux_has_bind_program(descriptor)
      if result < 0 { throw .io(path: path, errno: -result) }
      return result == 1
    }
  }
}
