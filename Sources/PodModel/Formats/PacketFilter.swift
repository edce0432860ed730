public import Time

/// podd's part of the table `inet podctl` (units/podctl.nft): the content of its sets in nft's language, and
/// the kernel's events.
public enum PacketFilter {
  public static let table = "podctl"

  // MARK: What workloads open

  /// One transaction in nft's language, after which the sets contain exactly `opened`: a pod's uid with the
  /// words of its workload's `IPAddressAllow=`.
  public static func exceptions(_ opened: [(uid: UInt32, words: [String])]) throws(ValueError) -> String {
    var elements: [IPPrefix.Family: [String]] = [:]
    for (uid, words) in opened {
      for prefix in try widest(words) {
        elements[prefix.family, default: []].append("\(uid) . \(prefix)")
      }
    }
    var text = ""
    for (family, set) in [(IPPrefix.Family.inet, "allowed4"), (.inet6, "allowed6")] {
      text += "flush set inet \(table) \(set)\n"
      guard let members = elements[family] else { continue }
      text += "add element inet \(table) \(set) { \(members.joined(separator: ", ")) }\n"
    }
    return text
  }

  /// The prefixes without those that lie in another one, because an interval set refuses elements that
  /// overlap.
  private static func widest(_ words: [String]) throws(ValueError) -> [IPPrefix] {
    var kept: [IPPrefix] = []
    var all: [IPPrefix] = []
    for word in words { all += try IPPrefix.expand(word) }
    for prefix in all.sorted(by: { $0.length < $1.length })
    where !kept.contains(where: { $0.contains(prefix) }) {
      kept.append(prefix)
    }
    return kept
  }

  // MARK: Held connections

  /// A pod's address and port, to which new connections are held for some time.
  public struct Hold: Sendable, Equatable {
    public let address: String
    public let port: Int
    /// When the kernel ends the hold by itself; nil: never.
    public let deadline: LoopTime?

    public init(address: String, port: Int, deadline: LoopTime?) {
      self.address = address
      self.port = port
      self.deadline = deadline
    }
  }

  /// The netfilter queue in which SYNs to held pods wait.
  public static let holdQueue: UInt16 = 77

  /// The `SO_MARK` of a socket whose connections are not held. Other programs use higher bits.
  public static let probeMark: UInt32 = 77

  /// The `SO_MARK` of the listening sockets that podd makes for pods; connections that are accepted on them have it too.
  public static let listenMark: UInt32 = 78

  // MARK: Who may connect

  /// The part of a transaction after which root and these users may connect to pods; nil: all users may.
  public static func visitors(_ uids: [UInt32]?) -> String {
    let all = "flush chain inet \(table) visiting\n"
    guard let uids else { return all }
    let admitted = Set(uids).union([0]).sorted().map(String.init).joined(separator: ", ")
    return all + "add rule inet \(table) visiting meta skuid != { \(admitted) } goto refused\n"
  }

  // MARK: The set of held addresses

  /// The part of a transaction after which the set of held addresses contains exactly `held`. Each keeps its
  /// deadline, rounded up to seconds; a hold whose deadline has passed is left out. The set is emptied and
  /// filled again, because before Linux 6.12 an existing element keeps its old timeout, and deleting a
  /// missing element is an error.
  public static func holds(_ held: [Hold], now: LoopTime) -> String {
    var text = "flush set inet \(table) held\n"
    let elements = held.compactMap { hold -> String? in
      let element = "\(hold.address) . \(hold.port)"
      guard let deadline = hold.deadline else { return element }
      return deadline > now ? "\(element) timeout \((deadline - now).roundedUp(to: .seconds(1)))s" : nil
    }
    if !elements.isEmpty {
      text += "add element inet \(table) held { \(elements.joined(separator: ", ")) }\n"
    }
    return text
  }

  // MARK: Events

  /// An event of the kernel's nftables group about the table.
  public enum Event: Sendable, Equatable { case appeared, vanished }

  /// Reads one netlink datagram; events of other tables and objects are left out. Malformed messages end it.
  ///
  /// Layouts: linux/netlink.h (`nlmsghdr`), linux/netfilter/nfnetlink.h (`nfgenmsg`), and the first
  /// attribute of a table, linux/netfilter/nf_tables.h (`NFTA_TABLE_NAME`).
  public static func events(in datagram: some Sequence<UInt8>) -> [Event] {
    let datagram = ArraySlice(datagram)
    var events: [Event] = []
    var offset = 0
    while offset + 16 <= datagram.count {
      let length = Int(number(datagram, offset, bytes: 4))
      guard length >= 16, offset + length <= datagram.count else { break }
      let type = number(datagram, offset + 4, bytes: 2)
      let isNew = type == subsystem | newTable
      if isNew || type == subsystem | deleteTable, name(datagram[offset..<offset + length]) == table {
        events.append(isNew ? .appeared : .vanished)
      }
      offset += (length + 3) & ~3
    }
    return events
  }

  /// `NFNL_SUBSYS_NFTABLES`, in the high byte of a message's type.
  private static let subsystem: UInt64 = 10 << 8
  private static let newTable: UInt64 = 0
  private static let deleteTable: UInt64 = 2

  private static func name(_ message: ArraySlice<UInt8>) -> String? {
    let nameAttribute: UInt64 = 1
    var offset = message.startIndex + 20
    while offset + 4 <= message.endIndex {
      let length = Int(number(message, offset, bytes: 2))
      guard length >= 4, offset + length <= message.endIndex else { return nil }
      if number(message, offset + 2, bytes: 2) & 0x3FFF == nameAttribute {
        return String(decoding: message[offset + 4..<offset + length].prefix { $0 != 0 }, as: UTF8.self)
      }
      offset += (length + 3) & ~3
    }
    return nil
  }

  /// In the host's byte order, which is little-endian on all of podctl's architectures.
  private static func number(_ bytes: ArraySlice<UInt8>, _ offset: Int, bytes count: Int) -> UInt64 {
    bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}

extension IPPrefix {
  /// Whether this contains every address of `other`.
  public func contains(_ other: IPPrefix) -> Bool {
    guard family == other.family, length <= other.length else { return false }
    return zip(zip(address, other.address), 0...).allSatisfy { pair, index in
      let mask = UInt8(truncatingIfNeeded: 0xFF00 >> min(8, max(0, length - index * 8)))
      return pair.0 & mask == pair.1 & mask
    }
  }
}
