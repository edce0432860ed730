public import Time

/// podd's part of the table `inet podctl` (units/podctl.nft): the content of its sets in nft's language, and
/// the kernel's events.
public enum PacketFilter {
  public static let table = "podctl"

  // MARK: podd's part

  /// All that podd has put into the table.
  public struct Content: Sendable, Equatable {
    /// The elements of `allowed4` and `allowed6`.
    private let allowed: [IPPrefix.Family: Set<String>]
    private let held: Set<Hold>
    private let visitors: [UInt32]?

    /// - Parameters:
    ///   - opened: A pod's uid with the words of its workload's `IPAddressAllow=`.
    ///   - held: The addresses to which new connections wait, each once.
    ///   - visitors: The users besides root who may connect to pods; nil: all users may.
    public init(opened: [(uid: UInt32, words: [String])], held: [Hold], visitors: [UInt32]?)
      throws(ValueError)
    {
      var allowed: [IPPrefix.Family: Set<String>] = [:]
      for (uid, words) in opened {
        for prefix in try widest(words) { allowed[prefix.family, default: []].insert("\(uid) . \(prefix)") }
      }
      self.allowed = allowed
      self.held = Set(held)
      self.visitors = visitors
    }

    /// One transaction in nft's language, after which the table has exactly this content, whatever it had before.
    public func script(now: LoopTime) -> String {
      var text = ""
      for (family, set) in allowedSets {
        text += "flush set inet \(table) \(set)\n" + element(.add, set, allowed[family] ?? [])
      }
      text +=
        "flush set inet \(table) held\n" + element(.add, "held", held.compactMap { $0.element(now: now) })
      return text + visiting
    }

    /// The same, when the table has the content `former`. Only what differs is touched: while the kernel commits a
    /// transaction, a packet on another processor may not find an element that the transaction deletes and adds again.
    public func change(from former: Content, now: LoopTime) -> String {
      var text = ""
      for (family, set) in allowedSets {
        let (old, new) = (former.allowed[family] ?? [], allowed[family] ?? [])
        // Deleted first, because an interval set refuses elements that overlap.
        text += element(.delete, set, old.subtracting(new)) + element(.add, set, new.subtracting(old))
      }
      let begun = held.subtracting(former.held)
      let touched = Set(former.held.symmetricDifference(held).map(\.key))
      // Before Linux 6.12 an existing element keeps its old timeout, so it is deleted. Deleting one that the kernel has
      // ended by itself is an error, so it is added before.
      text += element(.add, "held", touched) + element(.delete, "held", touched)
      text += element(.add, "held", begun.compactMap { $0.element(now: now) })
      return visitors == former.visitors ? text : text + visiting
    }

    private enum Verb: String { case add, delete }

    private func element(_ verb: Verb, _ set: String, _ elements: some Collection<String>) -> String {
      elements.isEmpty
        ? ""
        : "\(verb) element inet \(table) \(set) { \(elements.sorted().joined(separator: ", ")) }\n"
    }

    /// A rule and no set, because a chain changes at once.
    private var visiting: String {
      let all = "flush chain inet \(table) visiting\n"
      guard let visitors else { return all }
      let admitted = Set(visitors).union([0]).sorted().map(String.init).joined(separator: ", ")
      return all + "add rule inet \(table) visiting meta skuid != { \(admitted) } goto refused\n"
    }
  }

  private static let allowedSets = [(IPPrefix.Family.inet, "allowed4"), (.inet6, "allowed6")]

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
  public struct Hold: Sendable, Hashable {
    public let address: String
    public let port: Int
    /// When the kernel ends the hold by itself; nil: never.
    public let deadline: LoopTime?

    public init(address: String, port: Int, deadline: LoopTime?) {
      self.address = address
      self.port = port
      self.deadline = deadline
    }

    fileprivate var key: String { "\(address) . \(port)" }

    /// With what is left of its time, rounded up to seconds; nil when nothing is left.
    fileprivate func element(now: LoopTime) -> String? {
      guard let deadline else { return key }
      return deadline > now ? "\(key) timeout \((deadline - now).roundedUp(to: .seconds(1)))s" : nil
    }
  }

  /// The netfilter queue in which SYNs to held pods wait.
  public static let holdQueue: UInt16 = 77

  /// The `SO_MARK` of a socket whose connections are not held. Other programs use higher bits.
  public static let probeMark: UInt32 = 77

  /// The `SO_MARK` of the listening sockets that podd makes for pods; connections that are accepted on them have it too.
  public static let listenMark: UInt32 = 78

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
