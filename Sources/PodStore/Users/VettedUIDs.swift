/// What is known of the user ids that a new pod could get: an account of the host may have one of them. The store cannot
/// know, because a directory service may have to be asked, and that may take seconds.
public struct VettedUIDs: Sendable, Equatable {
  /// Nobody has these.
  public var free: Set<Int> = []
  /// An account of the host has these.
  public var taken: Set<Int> = []
  private let trustsAll: Bool

  /// Nothing is known yet: a new pod is refused with `.unvettedUID`, which names the one to ask about.
  public init() { trustsAll = false }

  private init(trustsAll: Bool) { self.trustsAll = trustsAll }

  /// For a store whose pods run nowhere.
  public static let all = VettedUIDs(trustsAll: true)

  func allows(_ uid: Int) -> Bool { trustsAll && !taken.contains(uid) || free.contains(uid) }
}
