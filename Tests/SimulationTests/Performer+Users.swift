import PodModel
import PodStore
import Time

/// How programs are notified of their users, and who waits for that.
extension Performer {
  // MARK: Effects

  func notify(_ effect: PodMachine.Effect, _ pod: SimulatedPod) throws {
    let unit = pod.current?.unit
    switch effect {
    case .writeUsers(let revision):
      try simulation.check(pod.userWork == nil, "\(pod.name) is notified twice at the same time")
      pod.userWork = .write(revision)
    case .usersFailed(_, let pause): if let pause { pod.usersRetryAt = simulation.world.now + pause }
    case .recordUsers:
      if let prepared = simulation.world.usersFiles[pod.name]?.prepared {
        simulation.world.usersFiles[pod.name]?.delivered = prepared
        simulation.world.usersFiles[pod.name]?.prepared = nil
      }
    case .thawForUsers: if let unit { simulation.world.frozenUnits.remove(unit) }
    case .freezeAgain:
      if let unit, simulation.world.requests(in: unit) == 0 { work.append(.event(pod, .pod(.freeze))) }
    default: break
    }
  }

  func tokens(of pod: PodName) throws -> [World.Token] {
    let users = try simulation.store.users(ofPod: pod).filter { $0.status == .active }
    return users.map { World.Token(user: $0.name, epoch: $0.epoch) }
  }

  /// As UsersFile and DeliveredUsers do.
  func writeUsersFile(of pod: PodName) throws {
    let tokens = try tokens(of: pod)
    var files = simulation.world.usersFiles[pod] ?? World.UsersFiles()
    files.prepared = files.delivered == tokens ? nil : tokens
    if files.delivered != tokens { files.delivered = nil }
    files.users = tokens
    simulation.world.usersFiles[pod] = files
  }

  /// Ends what is under way, well or not.
  func doUserWork(_ pod: SimulatedPod) throws {
    guard let work = pod.userWork else { return }
    pod.userWork = nil
    let fails = !simulation.isCalm && simulation.random.chance(simulation.odds.launchFailures)
    let next = fails ? nil : simulation.handover(of: pod.name)
    switch work {
    case .write(let revision):
      if fails && simulation.random.chance(50) || simulation.isDiskFull && simulation.random.chance(50) {
        return try handle(.usersNotWritten(revision), pod)
      }
      try writeUsersFile(of: pod.name)
      try handle(.usersWritten(revision, next: next), pod)
    case .reload(let id, let revision):
      let isSignal = simulation.reload(of: pod.name) == .signal
      guard isSignal || !fails && runReloadCommand(pod.generations[id]) else {
        return try handle(.generation(id, .usersNotRead(next: next)), pod)
      }
      try handle(.generation(id, .usersRead(revision)), pod)
    }
  }

  private func runReloadCommand(_ generation: SimulatedGeneration?) -> Bool {
    guard let pid = generation?.pid, let ticks = generation?.ticks, simulation.world.isAlive(pid, ticks)
    else {
      return false
    }
    simulation.world.signalReload(pid)
    simulation.world.handleSignal(pid)
    return simulation.world.processes[pid]?.hasReloadSignal == false
  }

  /// Pod.checkDeliveredUsers.
  func checkUsers(_ pod: SimulatedPod) throws {
    pod.needsUserCheck = false
    let isKnown = simulation.world.usersFiles[pod.name]?.delivered == (try tokens(of: pod.name))
    try handle(.usersChecked(pod.machine.users.revision, isKnown: isKnown), pod)
  }

  // MARK: Waiting

  private static let patience =
    Microseconds.minutes(15) + startTimeout + drainTimeout + stopTimeout + stopTimeout

  func deliver(
    to pod: SimulatedPod, _ reach: PodMachine.Reach, isNew: Bool = true, for call: Int? = nil,
    rest: @escaping (Bool) throws -> Void
  ) throws {
    if isNew { try handle(.usersChanged(reach), pod) }
    deliveries.append(
      SimulatedDelivery(
        pod: pod, revision: pod.machine.users.revision, reach: reach,
        until: simulation.world.now + Self.patience, call: call, rest: rest))
  }

  func hasEnded(_ delivery: SimulatedDelivery) -> Bool {
    delivery.until <= simulation.world.now || outcome(of: delivery) != .underWay
  }

  private func outcome(of delivery: SimulatedDelivery) -> PodMachine.Delivery {
    delivery.pod.machine.delivery(of: delivery.revision, to: delivery.reach)
  }

  func end(_ delivery: SimulatedDelivery) throws {
    let outcome = outcome(of: delivery)
    try simulation.check(
      outcome != .underWay || !simulation.isCalm,
      "somebody waits in vain until \(delivery.pod.name) knows its users")
    try delivery.rest(outcome == .done)
  }

  // MARK: Withdrawing

  /// PodHost.withdrawUsers.
  func withdraw(from name: PodName?, isNew: Bool = true, rest: @escaping (Bool) throws -> Void) throws {
    guard let pod = name.flatMap({ pods[$0] }) else { return try rest(true) }
    if pod.state == .cold { updateDoor(pod) }
    if pod.isUnneeded, Admission(.idle, in: pod.state) == .act || pod.state == .backoff {
      try handle(.stopGracefully(.idle, then: .cold), pod)
    }
    try deliver(to: pod, .every, isNew: isNew, rest: rest)
  }

  /// No program serves the user any more, and the data may go.
  func departed(_ user: UserName, _ epoch: Int64) {
    simulation.note("confirmed: \(user) is gone")
    simulation.world.withdraw(user, upTo: epoch)
    jobs.append(.settled(user: user))
  }

  /// A client repeats what failed. False: nothing did.
  func repeatDepartures() throws -> Bool {
    let users = try simulation.store.unsettled().filter { $0.pod == nil }
    for user in users { deprovision(user.name) }
    return !users.isEmpty
  }

  // MARK: After a start of podd

  /// PodHost.finishDataWork.
  func finishDataWork() throws {
    for user in try simulation.store.unsettled() {
      takeTurn(of: user.name) { [unowned self] in
        work.append(
          .call(nil) { [unowned self] in
            try withdraw(from: user.pod == nil ? user.keptFrom : nil, isNew: false) {
              [unowned self] isKnown in
              if isKnown { jobs.append(.settled(user: user.name)) }
              endTurn(of: user.name)
            }
          })
      }
    }
  }

  /// PodHost.stopUnneeded.
  func stopUnneeded(_ pods: [SimulatedPod]) throws {
    for pod in pods where pod.isUnneeded && pod.lifecycle.wanted == .run && pod.state != .crashLoop {
      try handle(.stopGracefully(.idle, then: .cold), pod)
    }
  }
}

extension SimulatedPod {
  /// All its users are suspended.
  var isUnneeded: Bool { record.users > 0 && record.activeUsers == 0 }
}
