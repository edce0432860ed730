import Time

/// How far the pod's programs know its users as the store has them. ``PodMachine`` has one; what follows from it stands
/// below.
public struct UserDelivery: Sendable, Equatable {
  /// Counts the changes of the pod's users in the store since podd was started.
  public internal(set) var revision = 0
  /// What the users file has at least. Nothing is known of a file of an earlier podd.
  var written = -1
  /// The users file is being written, or a program reads it.
  var isUnderWay = false
  /// The latest revision with which an attempt failed.
  var failed = -1
  /// Until the next attempt.
  var isPausing = false
  var pauses = UserDelivery.pauses
  /// A frozen program is not to wait for its thaw.
  var reachesFrozen = false
  /// It was thawed to be notified.
  var freezesAgain = false
  /// The generation that was restarted because its program reads the file only as it starts.
  var restarted: GenerationLife.ID?
  /// It is on record that everybody knows what the users file has.
  var isRecorded = false

  static let pauses = DoublingPause(first: .seconds(1), longest: .minutes(5))
}

extension PodMachine {
  /// Which programs must know a change of the users before a caller is answered.
  public enum Reach: Sendable, Equatable {
    /// The one that serves.
    case serving
    /// Also one that is frozen, and one that is being launched and may have read an earlier file.
    case coming
    /// Also one that finishes what it has begun: a withdrawn user may have a connection to it.
    case every
  }

  /// Whether a change has come to everybody whom it must reach.
  public enum Delivery: Sendable, Equatable {
    case underWay, done, failed
  }

  /// Why the programs could not be notified.
  public enum UserFailure: Sendable, Equatable {
    /// The users file could not be written.
    case notWritten
    /// The program would have to be restarted, and the settings do not parse.
    case settings
    /// It had to be restarted, and its successor did not come.
    case restart(EndReason)
    /// It is frozen and cannot be thawed.
    case frozen
  }

  /// A generation that waits for its turn reads the users when it comes.
  private func isStale(_ life: GenerationLife, _ revision: Int) -> Bool {
    switch life.phase {
    case .waiting, .ended: false
    default: (life.usersRead ?? -1) < revision
    }
  }

  /// Whether a program may know other users than the store has.
  public var hasStaleUsers: Bool { generations.contains { isStale($0, users.revision) } }

  /// Whether the change has arrived. A caller asks again after each step, and does not wait for ever.
  public func delivery(of revision: Int, to reach: Reach) -> Delivery {
    let isLacking = generations.contains { life in
      let isConcerned =
        switch reach {
        case .serving: life.id == current?.id && lifecycle.state == .ready
        case .coming: !isLeaving(life)
        case .every: true
        }
      return isConcerned && isStale(life, revision)
    }
    if users.failed >= revision { return isLacking ? .failed : .done }
    let isWritten = max(0, users.written) >= revision || isForgotten
    return isLacking || !isWritten || users.freezesAgain ? .underWay : .done
  }

  private func isLeaving(_ life: GenerationLife) -> Bool {
    if life.isStopping || life.isCancelled { return true }
    return life.id == current?.id
      ? lifecycle.state == .draining || lifecycle.state == .stopping : lifecycle.other?.kind != .successor
  }

  /// Whether it can be notified now. One that is starting is notified as soon as it serves, and one that ends by itself
  /// and cannot be notified is waited for.
  private func isDue(_ life: GenerationLife) -> Bool {
    guard life.mayReadUsers, life.usersRead != nil, isStale(life, users.revision) else { return false }
    if isLeaving(life) { return life.reload == .signal }
    guard life.id == current?.id else { return false }
    switch lifecycle.state {
    case .ready: return !lifecycle.isBeingReplaced || life.reload != .restart && users.restarted != life.id
    // It must find the right file when it is thawed.
    case .frozen: return users.written < users.revision
    default: return false
    }
  }

  // MARK: What follows from a step

  /// Whatever the step was: who does not know the users is notified as soon as that is possible.
  mutating func deliverUsers() -> [Effect] {
    if isForgotten || users.isUnderWay { return [] }
    if users.revision > max(0, users.written, users.failed) { return writeUsers() }
    if !hasStaleUsers { return usersAreKnown() }
    if users.isPausing { return [] }
    if lifecycle.state == .frozen, users.reachesFrozen, !users.freezesAgain, users.written >= users.revision {
      users.freezesAgain = true
      return signalBeforeThaw() + [.thawForUsers]
    }
    if let current, users.restarted == current.id, isDue(current) {
      return failed(.restart(lifecycle.lastEnd ?? .operator), users.revision)
    }
    return generations.contains(where: isDue) ? writeUsers() : []
  }

  private mutating func writeUsers() -> [Effect] {
    users.isUnderWay = true
    users.isRecorded = false
    return [.writeUsers(users.revision)]
  }

  private mutating func usersAreKnown() -> [Effect] {
    users.reachesFrozen = false
    users.restarted = nil
    var effects: [Effect] = users.freezesAgain && lifecycle.state == .ready ? [.freezeAgain] : []
    users.freezesAgain = false
    let begun = generations.filter { if case .waiting = $0.phase { false } else { true } }
    if !users.isRecorded, !begun.isEmpty, begun.allSatisfy(\.hasScope) {
      users.isRecorded = true
      effects.append(.recordUsers)
    }
    return effects
  }

  /// What a thawed program does first is to handle the signal, before the requests that wait for it.
  func signalBeforeThaw() -> [Effect] {
    guard let current, current.reload == .signal, isStale(current, users.revision) else { return [] }
    return [.generation(current.id, .signalReload)]
  }

  private mutating func failed(_ failure: UserFailure, _ revision: Int) -> [Effect] {
    users.isUnderWay = false
    users.failed = max(users.failed, revision)
    users.restarted = nil
    // A later change is tried at once.
    guard revision >= users.revision else { return [.usersFailed(failure, retryAfter: nil)] }
    users.reachesFrozen = false
    users.freezesAgain = false
    users.isPausing = true
    return [.usersFailed(failure, retryAfter: users.pauses.next())]
  }

  // MARK: Events

  mutating func usersChanged(_ reach: Reach) -> [Effect] {
    users.revision += 1
    users.isPausing = false
    if reach != .serving { users.reachesFrozen = true }
    return []
  }

  mutating func usersNotWritten(_ revision: Int) -> [Effect] { failed(.notWritten, revision) }

  mutating func thawFailed() -> [Effect] {
    lifecycle.state == .frozen && hasStaleUsers ? failed(.frozen, users.revision) : []
  }

  /// What an earlier podd left on record: whether everybody knows the users of that revision.
  mutating func usersChecked(_ revision: Int, isKnown: Bool) -> [Effect] {
    for position in [Lifecycle.Position.current, .other] where self[position]?.usersRead == nil {
      self[position]?.usersRead = isKnown ? revision : -1
      users.isRecorded = isKnown
    }
    return []
  }

  mutating func usersWritten(_ revision: Int, next: Lifecycle.Handover?, _ moment: Moment) -> [Effect] {
    users.isUnderWay = false
    users.written = max(users.written, revision)
    var effects: [Effect] = []
    // It finishes its open connections, and must not serve a withdrawn user on them.
    for life in generations where isLeaving(life) && isDue(life) {
      self[life.id == current?.id ? .current : .other]?.usersRead = revision
      effects.append(.generation(life.id, .signalReload))
    }
    guard let current, lifecycle.state == .ready, !isLeaving(current), isDue(current) else { return effects }
    if current.reload == .restart { return effects + restartForUsers(next, moment) }
    users.isUnderWay = true
    return effects + [.generation(current.id, .reload(revision))]
  }

  mutating func usersRead(_ revision: Int, by id: ID) -> [Effect] {
    users.isUnderWay = false
    users.pauses = UserDelivery.pauses
    if let position = position(of: id), self[position]?.mayReadUsers == true {
      self[position]?.usersRead = revision
    }
    return []
  }

  mutating func usersNotRead(by id: ID, next: Lifecycle.Handover?, _ moment: Moment) -> [Effect] {
    users.isUnderWay = false
    guard let current, current.id == id, lifecycle.state == .ready, isDue(current) else { return [] }
    return restartForUsers(next, moment)
  }

  /// Settings that do not parse must not stop what runs.
  private mutating func restartForUsers(_ next: Lifecycle.Handover?, _ moment: Moment) -> [Effect] {
    guard let next else { return failed(.settings, users.revision) }
    users.restarted = current?.id
    return step(.restart(.operator, handover(next: next)), moment)
  }
}

extension GenerationLife {
  /// Its program is notified of its users in this way; one whose settings are not known any more, by a restart.
  var reload: Traits.Reload { traits?.reload ?? .restart }

  /// What its main process has left behind cannot be notified.
  var mayReadUsers: Bool { phase == .running || phase == .seekingHeir }
}
