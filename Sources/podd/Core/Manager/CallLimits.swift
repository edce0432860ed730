import Glibc
import Systemd

/// How many calls may be under way at the same time. Everybody may call podd, and each call takes memory until it is
/// answered, also while polkit asks for a password.
@LoopActor
final class CallLimits {
  /// Calls whose callers' uids are not known yet: the bus answers that at once.
  static let ofUnknown = 1024
  static let ofOneUser = 64
  /// Of all users but root and the front door.
  static let ofUsers = 256
  /// Root is the administrator, and limited only against mistakes.
  static let ofRoot = 1024

  private var unknown = 0
  private var byUser: [UInt32: Int] = [:]

  /// A call came. ``isKnown()`` follows.
  func arrived() throws(BusError) {
    guard unknown < Self.ofUnknown else {
      throw .limitExceeded("\(unknown) calls wait for the bus to name their callers: try again")
    }
    unknown += 1
  }

  /// The bus has named the caller, or has not.
  func isKnown() { unknown -= 1 }

  /// The front door's user. It has a place whatever others do: every user of a pod waits for its calls.
  var frontDoor: UInt32?

  /// ``end(_:)`` follows unless it throws.
  func begin(_ uid: UInt32) throws(BusError) {
    let own = byUser[uid] ?? 0
    guard own < (uid == 0 ? Self.ofRoot : Self.ofOneUser) else {
      throw .limitExceeded("\(own) calls of uid \(uid) are under way: wait for a reply first")
    }
    guard !isShared(uid) || ofUsers < Self.ofUsers else {
      throw .limitExceeded("\(ofUsers) calls of users other than root are under way: try again")
    }
    byUser[uid] = own + 1
  }

  private func isShared(_ uid: UInt32) -> Bool { uid != 0 && uid != frontDoor }

  private var ofUsers: Int { byUser.reduce(0) { isShared($1.key) ? $0 + $1.value : $0 } }

  func end(_ uid: UInt32) {
    byUser[uid] = byUser[uid].flatMap { $0 > 1 ? $0 - 1 : nil }
  }
}

extension BusError {
  private static let limitsExceeded = "org.freedesktop.DBus.Error.LimitsExceeded"

  fileprivate static func limitExceeded(_ message: String) -> BusError {
    BusError(name: limitsExceeded, message: message, code: EBUSY)
  }

  /// Whether too many calls are under way.
  var isLimit: Bool { name == Self.limitsExceeded }
}
