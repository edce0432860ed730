import CLinux
import Cgroup
import Glibc
import Linux
import Testing

/// The BPF programs that decide what the sockets of a cgroup may be bound to.
@Suite struct BindLimitsTests {
  static let own = word("127.77.0.9")
  static let network = word("127.76.0.0")
  static let mask = word("255.254.0.0")

  static func word(_ text: String) -> UInt32 { ipv4(text) ?? 0 }

  /// The words of an IPv6 address, in network byte order.
  static func words(_ text: String) -> [UInt32] {
    var address = in6_addr()
    inet_pton(AF_INET6, text, &address)
    return withUnsafeBytes(of: address) { Array($0.bindMemory(to: UInt32.self)) }
  }

  static let room = [linux_bpf_instruction](
    repeating: linux_bpf_instruction(), count: Int(LINUX_BIND_PROGRAM_MAX))

  static func program(_ family: CInt) -> [linux_bpf_instruction] {
    var code = room
    let count = linux_bind_program(&code, family, own, 10_009, network, mask)
    return Array(code.prefix(Int(count)))
  }

  static func context(address: [UInt32], port: UInt16) -> [Int: UInt32] {
    // struct bpf_sock_addr of linux/bpf.h: user_ip4 at 4, user_ip6 at 8 to 20, user_port at 24.
    var fields: [Int: UInt32] = [24: UInt32(port.bigEndian)]
    if address.count == 1 { fields[4] = address[0] }
    for (index, word) in address.enumerated() where address.count == 4 { fields[8 + 4 * index] = word }
    return fields
  }

  /// What the kernel would answer.
  static func run(
    _ code: [linux_bpf_instruction], _ context: [Int: UInt32] = [:], uid: UInt32 = 0
  ) -> UInt64? {
    var registers = [UInt64?](repeating: nil, count: 11)
    var at = 0
    for _ in 0..<100 {
      guard code.indices.contains(at) else { return nil }
      let each = code[at]
      at += 1
      let (to, from) = (Int(each.registers & 15), Int(each.registers >> 4))
      let constant = UInt64(UInt32(bitPattern: each.immediate))
      func jump(_ isTaken: (UInt32, UInt32) -> Bool) -> Bool {
        guard let value = registers[to] else { return false }
        if isTaken(UInt32(truncatingIfNeeded: value), UInt32(constant)) { at += Int(each.offset) }
        return each.offset > 0
      }
      switch each.code {
      case 0x61:
        guard from == 1, let value = context[Int(each.offset)] else { return nil }
        registers[to] = UInt64(value)
      case 0xB4: registers[to] = constant
      case 0xBC: registers[to] = registers[from].map { $0 & 0xFFFF_FFFF }
      case 0x4C:
        guard let left = registers[to], let right = registers[from] else { return nil }
        registers[to] = (left | right) & 0xFFFF_FFFF
      case 0x54: registers[to] = registers[to].map { $0 & constant }
      case 0x14: registers[to] = registers[to].map { ($0 &- constant) & 0xFFFF_FFFF }
      case 0x16: guard jump(==) else { return nil }
      case 0x56: guard jump(!=) else { return nil }
      case 0xA6: guard jump(<) else { return nil }
      case 0x85:
        // bpf_get_current_uid_gid: the gid is in the high word.
        guard each.immediate == 15 else { return nil }
        registers = [UInt64?](repeating: nil, count: 11)
        registers[0] = UInt64(uid) | UInt64(uid) << 32
      case 0x95: return registers[0]
      default: return nil
      }
    }
    return nil
  }

  @Test(arguments: [
    ("127.77.0.9", 10_009, true), ("0.0.0.0", 10_009, true), ("127.77.0.9", 0, true), ("0.0.0.0", 0, true),
    ("127.0.0.1", 0, true), ("192.0.2.7", 0, true), ("127.75.255.255", 0, true), ("127.78.0.0", 0, true),
    // Other pods' ports, and other services' ports at its own address.
    ("127.77.0.9", 10_010, false), ("0.0.0.0", 10_010, false), ("0.0.0.0", 53, false),
    ("127.77.0.9", 1, false),
    // Its own port where it is not at home.
    ("127.0.0.1", 10_009, false), ("127.77.0.10", 10_009, false), ("127.76.0.9", 10_009, false),
    // The source ports of front addresses, and all ports of other pods.
    ("127.76.0.9", 0, false), ("127.76.0.10", 0, false), ("127.77.255.255", 0, false),
    ("127.77.0.0", 0, false),
  ])
  func aPodBindsItsOwnPortAlone(_ address: String, _ port: Int, _ isAllowed: Bool) {
    let port = UInt16(port)
    let answer: UInt64 = isAllowed ? 1 : 0
    let plain = Self.context(address: [Self.word(address)], port: port)
    #expect(Self.run(Self.program(AF_INET), plain) == answer)
    // The same address in an IPv6 socket; "::" is 0.0.0.0 there.
    let mapped = Self.context(address: Self.words("::ffff:\(address)"), port: port)
    #expect(Self.run(Self.program(AF_INET6), mapped) == answer)
    if address == "0.0.0.0" {
      let all = Self.context(address: Self.words("::"), port: port)
      #expect(Self.run(Self.program(AF_INET6), all) == answer)
    }
  }

  @Test(arguments: [
    "::1", "2001:db8::1", "::127.77.0.9", "::1:0:0:0", "::1:0:0", "1::", "::fffe:127.77.0.9",
  ])
  func atAnIPv6AddressOnlyThePortIsTheKernels(_ address: String) {
    let words = Self.words(address)
    #expect(Self.run(Self.program(AF_INET6), Self.context(address: words, port: 0)) == 1)
    #expect(Self.run(Self.program(AF_INET6), Self.context(address: words, port: 10_009)) == 0)
  }

  @Test func someUsersBindNothing() {
    var code = Self.room
    let count = linux_bind_program_without(&code, 1_900_000_000, 65_536)
    let program = Array(code.prefix(Int(count)))
    for uid: UInt32 in [1_900_000_000, 1_900_000_001, 1_900_065_535] {
      #expect(Self.run(program, uid: uid) == 0)
    }
    for uid: UInt32 in [0, 1000, 1_899_999_999, 1_900_065_536, .max] {
      #expect(Self.run(program, uid: uid) == 1)
    }
  }

  /// Where the tests run as root with a cgroup v2 hierarchy. What the programs do to sockets is shown in machines.
  @Test func theKernelTakesThePrograms() throws {
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
    guard let root = roots.first(where: { access("\($0)/cgroup.procs", F_OK) == 0 }) else { return }
    let name = "/podctl-bind-\(getpid())"
    guard mkdir(root + name, 0o755) == 0 else { return }
    defer { rmdir(root + name) }
    let cgroup = try Cgroup(path: name, root: root)
    #expect(try !cgroup.limitsBinds)
    for _ in 0..<2 {
      try cgroup.limitBinds(to: Self.own, port: 10_009, network: Self.word("127.76.1.2"), prefixLength: 15)
      #expect(try cgroup.limitsBinds)
    }
    let other = name + "-2"
    try #require(mkdir(root + other, 0o755) == 0)
    defer { rmdir(root + other) }
    let second = try Cgroup(path: other, root: root)
    try second.refuseBinds(uids: 1_900_000_000..<1_900_065_536)
    #expect(try second.limitsBinds)
  }
}
