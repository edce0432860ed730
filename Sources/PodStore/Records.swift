import GRDB
public import PodModel
public import Time

/// A pod's row.
public struct PodRecord: Sendable, Equatable {
  /// The state that operators and requests want. podd learns the actual state from systemd.
  public typealias Wanted = Lifecycle.Wanted

  public var name: PodName
  public var tier: String
  public var port: Int
  public var address: String
  public var frontAddress: String
  public var uid: UInt32
  /// The latest launch, 0 before the first.
  public var generation: Int
  /// Active and suspended users.
  public var users: Int
  /// Those of the users who have no access.
  public var suspendedUsers = 0
  public var wanted: Wanted
  /// Whether its start limit was hit; until `reset`.
  public var crashLoopHold: Bool
  public var restarts: Int
  public var lastExitReason: EndReason?
  public var createdAt: WallTime
  /// Where the directories of its users lie.
  public var layout = Layout.apart
  public var served = Served.nobody
  /// Nil, unless its last user has left and its directory has still to be put aside or removed. Until ``podCleaned``
  /// it gets no users.
  public var cleaning: Cleaning?

  /// The users whom its program is to know. Without any it need not run.
  public var activeUsers: Int { users - suspendedUsers }

  /// Where the directories of a pod's users lie, below the pod's directory.
  public enum Layout: Int, Sendable {
    /// Next to what the program stores, as podctl 0.1 had it.
    case mixed = 1
    /// In `users`, which holds nothing else.
    case apart = 2
  }

  /// Whom a pod has served since its directory was made: what its program stored is theirs.
  public enum Served: Sendable, Equatable {
    case nobody
    case only(UserName)
    case several
  }

  /// What becomes of what the program of a pod without users stored.
  public struct Cleaning: Sendable, Equatable {
    public enum Kind: String, Sendable {
      /// It is put aside with the last user.
      case keep
      /// It is removed with the last user.
      case remove
    }

    public var kind: Kind
    /// The last user; nil: nobody knows.
    public var user: UserName?
    /// No two cleanings of a pod have the same one.
    public var id: Int64

    public init(kind: Kind, user: UserName?, id: Int64) {
      self.kind = kind
      self.user = user
      self.id = id
    }
  }
}

extension PodRecord {
  static let columns = """
    number, tier, port, address, front_address, uid, generation, users, wanted, state_hold, restarts,
    last_exit_reason, created_at, layout, served, cleaning, last_user, cleaning_id,
    (SELECT count(*) FROM user WHERE user.pod = number AND status = 'suspended') AS suspended
    """

  init(_ row: Row) throws {
    name = PodName(number: row["number"])
    tier = row["tier"]
    port = row["port"]
    address = row["address"]
    frontAddress = row["front_address"]
    uid = UInt32(truncatingIfNeeded: row["uid"] as Int64)
    generation = row["generation"]
    users = row["users"]
    suspendedUsers = row["suspended"]
    wanted = try decode(row, "wanted", Wanted.init(rawValue:))
    crashLoopHold = row["state_hold"]
    restarts = row["restarts"]
    lastExitReason = try decodeOptional(row, "last_exit_reason", EndReason.init(_:))
    createdAt = row["created_at"]
    guard let layout = Layout(rawValue: row["layout"]) else {
      throw UnknownValue(description: "layout is \(row["layout"] as Int)")
    }
    self.layout = layout
    served = try decodeOptional(row, "served", Served.init(stored:)) ?? .nobody
    if let kind = try decodeOptional(row, "cleaning", Cleaning.Kind.init(rawValue:)) {
      cleaning = Cleaning(
        kind: kind, user: try decodeOptional(row, "last_user", UserName.init(stored:)), id: row["cleaning_id"]
      )
    }
  }
}

extension PodRecord.Served {
  /// No user has this name.
  static let severalStored = "*"

  init?(stored text: String) {
    if text == Self.severalStored {
      self = .several
    } else if let user = UserName(stored: text) {
      self = .only(user)
    } else {
      return nil
    }
  }
}

/// A user's placement.
public struct UserRecord: Sendable, Equatable {
  public enum Status: String, Sendable, CaseIterable { case active, suspended, deleted }

  public var name: UserName
  /// Nil after the user was deleted.
  public var pod: PodName?
  public var tier: String
  /// The pod's own secret for this user; nil after the user was deleted. That of a suspended user is not valid any more.
  public var token: String?
  public var status: Status
  /// Rises whenever pod, address, token or status changes, also when a purged user is placed again.
  public var epoch: Int64
  /// The pod in whose directory this user's data may still lie although the user is not, or no longer, placed
  /// there: podd has to put it aside and then call `dataPutAside`.
  public var keptFrom: PodName?
  public var createdAt: WallTime
  public var changedAt: WallTime
  /// The user is placed, and the data has still to be brought into the pod; then podd calls `dataArrived`. Until then
  /// the pod's program does not know the user.
  public var isArriving = false
  /// The data of this deleted user is to be removed for good; then podd calls `forget`.
  public var isPurging = false
  /// The name under which is kept what a program stored while it served this user alone.
  public var programKept: String?
  /// When the user last used the front door; nil: never.
  public var lastUsedAt: WallTime?
}

extension UserRecord {
  static let columns = """
    name, pod, tier, token, status, epoch, kept_from, created_at, changed_at, arriving, purging, program_kept,
    last_used_at
    """

  init(_ row: Row) throws {
    name = try decode(row, "name", UserName.init(stored:))
    pod = (row["pod"] as Int?).map(PodName.init(number:))
    tier = row["tier"]
    token = row["token"]
    status = try decode(row, "status", Status.init(rawValue:))
    epoch = row["epoch"]
    keptFrom = (row["kept_from"] as Int?).map(PodName.init(number:))
    createdAt = row["created_at"]
    changedAt = row["changed_at"]
    isArriving = row["arriving"]
    isPurging = row["purging"]
    programKept = row["program_kept"]
    lastUsedAt = row["last_used_at"]
  }
}

/// One launch of a pod, from the decision to its end.
public struct GenerationRecord: Sendable, Equatable {
  public var unit: UnitName
  /// The identity that a takeover compares before it trusts a process; nil until the scope runs.
  public var bootID: String?
  public var invocationID: String?
  public var mainPID: Int32?
  /// Start time of the main process in clock ticks since boot, field 22 of `/proc/PID/stat`.
  public var mainStartTicks: UInt64?
  public var begunAt: WallTime
  public var startedAt: WallTime?
  public var readyAt: WallTime?
  /// Why podd began to stop it; nil before that.
  public var stopCause: EndReason?
  /// Whether podd has asked systemd to stop it, and so caused its end. False while podd waits for its
  /// connections.
  public var stopAsked = false
  public var endedAt: WallTime?
  public var reason: EndReason?
  /// The evidence for the reason, as JSON.
  public var evidence: String?
}

extension GenerationRecord? {
  /// The reason for an end that podd did not see; also for a generation without a row.
  public var unseenEnd: EndReason {
    guard let record = self, record.stopAsked, let cause = record.stopCause else { return .unknownAdopted }
    return cause
  }
}

extension GenerationRecord {
  static let columns = """
    pod, generation, boot_id, invocation_id, main_pid, main_start_ticks, begun_at, started_at, ready_at,
    stop_cause, stop_asked, ended_at, reason, evidence
    """

  init(_ row: Row) throws {
    unit = UnitName(pod: PodName(number: row["pod"]), generation: row["generation"])
    bootID = row["boot_id"]
    invocationID = row["invocation_id"]
    mainPID = (row["main_pid"] as Int64?).map(Int32.init(truncatingIfNeeded:))
    mainStartTicks = (row["main_start_ticks"] as Int64?).map(UInt64.init(bitPattern:))
    begunAt = row["begun_at"]
    startedAt = row["started_at"]
    readyAt = row["ready_at"]
    stopCause = try decodeOptional(row, "stop_cause", EndReason.init(_:))
    stopAsked = row["stop_asked"]
    endedAt = row["ended_at"]
    reason = try decodeOptional(row, "reason", EndReason.init(_:))
    evidence = row["evidence"]
  }
}

/// A text in a row that the schema does not allow.
struct UnknownValue: Error, CustomStringConvertible {
  var description: String
}

func decode<T>(_ row: Row, _ column: String, _ parse: (String) -> T?) throws -> T {
  let text: String = row[column]
  guard let value = parse(text) else { throw UnknownValue(description: "\(column) is '\(text)'") }
  return value
}

private func decodeOptional<T>(_ row: Row, _ column: String, _ parse: (String) -> T?) throws -> T? {
  (row[column] as String?) == nil ? nil : try decode(row, column, parse)
}
