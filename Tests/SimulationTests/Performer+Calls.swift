import PodModel
import PodStore

/// Clients' calls, and who waits for what.
extension Performer {
  // MARK: Verbs

  func provision(_ user: UserName, tier: String, cold: Bool) {
    simulation.note("call: provision \(user) in \(tier)\(cold ? ", cold" : "")")
    takeTurn(of: user) { [unowned self] in
      let number = newCall(.provision(user: user, cold: cold))
      jobs.append(.provision(call: number, user: user, tier: tier, cold: cold))
    }
  }

  func deprovision(_ user: UserName) {
    simulation.note("call: deprovision \(user)")
    takeTurn(of: user) { [unowned self] in
      simulation.confirmed[user] = nil
      jobs.append(.deprovision(user: user))
    }
  }

  func suspend(_ user: UserName) {
    simulation.note("call: suspend \(user)")
    takeTurn(of: user) { [unowned self] in
      simulation.confirmed[user] = nil
      jobs.append(.suspend(user: user))
    }
  }

  func resume(_ user: UserName) {
    simulation.note("call: resume \(user)")
    takeTurn(of: user) { [unowned self] in jobs.append(.resume(user: user)) }
  }

  func start(_ name: PodName) {
    call(name, .start) { [unowned self] pod, admission in
      wait(newCall(.start), pod, after: admission == .act ? .pod(.start) : nil)
    }
  }

  func stop(_ name: PodName) {
    call(name, .stop) { [unowned self] pod, _ in
      wait(newCall(.stop), pod, after: .stopGracefully(.operator, then: .stopped))
    }
  }

  func restart(_ name: PodName) {
    call(name, .restart) { [unowned self] pod, _ in
      wait(newCall(.restart), pod, after: .replace(.operator, next: simulation.handover(of: name)))
    }
  }

  func freeze(_ name: PodName) {
    call(name, .freeze) { [unowned self] pod, admission in
      if admission == .act { work.append(.event(pod, .pod(.freeze))) }
    }
  }

  func reset(_ name: PodName) {
    call(name, .reset) { [unowned self] pod, admission in
      if admission == .act { work.append(.event(pod, .pod(.reset))) }
    }
  }

  /// After what podd is in the middle of.
  private func call(
    _ name: PodName, _ verb: Admission.Verb, _ body: @escaping (SimulatedPod, Admission) -> Void
  ) {
    simulation.note("call: \(verb) \(name)")
    work.append(
      .call(nil) { [unowned self] in
        guard let pod = pods[name] else { return }
        // podd's next start would stop it.
        if pod.isUnneeded, verb != .stop, verb != .freeze { return }
        let admission = Admission(verb, in: pod.state)
        if case .refused = admission { return }
        body(pod, admission)
      })
  }

  private func serve(_ call: Int, _ pod: SimulatedPod) {
    wait(call, pod, after: Admission(.serve, in: pod.state) == .act ? .pod(.start) : nil)
  }

  // MARK: Waiting

  /// Once the event has been attended to.
  private func wait(_ call: Int, _ pod: SimulatedPod, after event: PodMachine.Event?) {
    if let event { work.append(.event(pod, event)) }
    work.append(.call(call) { [unowned self] in wait(call, pod) })
  }

  private func wait(_ number: Int, _ pod: SimulatedPod) {
    guard let call = calls[number] else { return }
    switch (call.kind, pod.state) {
    case (.restart, .ready) where pod.lifecycle.isBeingReplaced: pod.waiters.append(number)
    case (.stop, .stopping), (.stop, .draining): pod.waiters.append(number)
    case (.stop, _): calls[number] = nil
    case (_, .ready): answer(number, pod, nil)
    case (_, .starting), (_, .stopping), (_, .draining), (_, .frozen): pod.waiters.append(number)
    default: answer(number, pod, pod.lifecycle.lastEnd ?? .operator)
    }
  }

  func newCall(_ kind: SimulatedCall.Kind) -> Int {
    defer { nextCall += 1 }
    calls[nextCall] = SimulatedCall(kind: kind, since: simulation.world.now)
    return nextCall
  }

  func resolve(_ pod: SimulatedPod, _ reason: EndReason?) {
    let waiting = pod.waiters
    pod.waiters = []
    for number in waiting { answer(number, pod, reason) }
  }

  /// Nil: the pod serves.
  private func answer(_ number: Int, _ pod: SimulatedPod, _ reason: EndReason?) {
    guard let call = calls[number] else { return }
    if case .stop = call.kind, pod.state == .stopping || pod.state == .draining, pods[pod.name] === pod {
      pod.waiters.append(number)
      return
    }
    if reason == nil, call.isUnknown {
      calls[number]?.isUnknown = false
      work.append(.call(number) { [unowned self] in try makeKnown(number, pod) })
      return
    }
    calls[number] = nil
    guard case .provision(let user, _) = call.kind, let placed = call.placed else { return }
    if reason == nil { confirm(user, placed) } else { takenBack.append(placed) }
  }

  /// The pod serves; it may have to be restarted for the user.
  private func makeKnown(_ number: Int, _ pod: SimulatedPod) throws {
    try deliver(to: pod, .serving, for: number) { [unowned self] isKnown in
      // Somebody may have frozen it meanwhile.
      if isKnown { return serve(number, pod) }
      if let placed = calls.removeValue(forKey: number)?.placed { takenBack.append(placed) }
    }
  }

  private func confirm(_ user: UserName, _ placed: Provisioned) {
    simulation.note("confirmed: \(user) on \(placed.pod.name)")
    simulation.confirmed[user] = placed.pod.name
    pods[placed.pod.name]?.wasMadeInVain = false
    endTurn(of: user)
  }

  /// Calls about one user are dealt with one after the other: the first may have to take back what the
  /// second was promised.
  func takeTurn(of user: UserName, _ body: @escaping () -> Void) {
    if turns[user] == nil {
      turns[user] = []
      body()
    } else {
      turns[user]?.append(body)
    }
  }

  func endTurn(of user: UserName) {
    guard var waiting = turns[user], !waiting.isEmpty else {
      turns[user] = nil
      return
    }
    let next = waiting.removeFirst()
    turns[user] = waiting
    next()
  }

  // MARK: What a call about a user leads to

  private func add(_ record: PodRecord) -> SimulatedPod {
    let pod = pods[record.name] ?? SimulatedPod(record, now: simulation.world.now)
    pod.record = record
    pods[record.name] = pod
    return pod
  }

  func placed(_ call: Int, _ user: UserName, _ placed: Provisioned, cold: Bool) throws {
    let pod = add(placed.pod)
    try simulation.checkWelcome(placed)
    calls[call]?.placed = placed
    if placed.user.isArriving { jobs.append(.settled(user: user)) }
    if cold {
      if pod.state == .cold { updateDoor(pod) }
      guard placed.createdUser, pod.state.hasScope else {
        calls[call] = nil
        return confirm(user, placed)
      }
      try deliver(to: pod, .serving, for: call) { [unowned self] isKnown in
        calls[call] = nil
        if isKnown { confirm(user, placed) } else { takenBack.append(placed) }
      }
    } else {
      let isUnderWay = [.ready, .starting, .frozen].contains(pod.state)
      calls[call]?.isUnknown = isUnderWay && placed.createdUser || pod.machine.hasStaleUsers
      serve(call, pod)
    }
  }

  /// What a failed provision made is undone, once nothing of a pod runs that nobody else uses.
  func takeBack() throws {
    let placed = takenBack.removeFirst()
    undoing.append(placed)
    guard let pod = pods[placed.pod.name] else { return }
    pod.takenBack += 1
    if placed.createdPod || placed.wokePod, pod.record.activeUsers <= 1 {
      try handle(.pod(.stop(.operator, then: .cold)), pod)
    }
  }

  /// Not while the pod is being stopped.
  func canUndo(_ placed: Provisioned) -> Bool {
    let state = pods[placed.pod.name]?.state
    return state != .stopping && state != .draining
  }

  func undoNext() {
    guard let index = undoing.firstIndex(where: canUndo) else { return }
    jobs.append(.undo(undoing.remove(at: index)))
  }

  func undoEnded(_ placed: Provisioned) {
    guard let pod = pods[placed.pod.name] else { return }
    pod.takenBack -= 1
    if pod.state == .cold { updateDoor(pod) }
  }

  func undone(_ placed: Provisioned) throws {
    guard let pod = pods[placed.pod.name] else { return try settled(placed, nil) }
    if placed.createdPod { pod.wasMadeInVain = true }
    pod.record = try simulation.store.pod(pod.name)
    undoEnded(placed)
    try settled(placed, pod)
    doubtfulWishes.insert(pod.name)
    guard pod.record.wanted == .cold else { return try stopUnused(pod) }
    try handle(.wishTakenBack, pod, andThen: .call(nil) { [unowned self] in try stopUnused(pod) })
  }

  /// The other users keep their pod, without this user.
  private func settled(_ placed: Provisioned, _ pod: SimulatedPod?) throws {
    let user = placed.user.name
    guard placed.createdUser, let pod, pod.record.users > 0 else {
      if placed.createdUser { jobs.append(.settled(user: user)) }
      return endTurn(of: user)
    }
    try withdraw(from: pod.name) { [unowned self] isKnown in
      if isKnown { departed(user, placed.user.epoch) }
      endTurn(of: user)
    }
  }

  // MARK: Cleaning

  /// PodHost.clean: its last user has left, so that nobody needs what runs.
  func stopUnused(_ pod: SimulatedPod) throws {
    guard pod.record.cleaning != nil, Admission(.idle, in: pod.state) == .act else { return }
    try handle(.stopGracefully(.idle, then: .cold), pod)
  }

  /// No generation lives, and nothing of its users lies there any more.
  func canClean(_ pod: SimulatedPod) -> Bool {
    guard pod.record.cleaning != nil, pods[pod.name] === pod, !cleaning.contains(pod.name) else {
      return false
    }
    let isOccupied = pod.machine.generations.contains { if case .waiting = $0.phase { false } else { true } }
    let leaving = (try? simulation.store.unsettled()) ?? []
    return !isOccupied && !leaving.contains { $0.keptFrom == pod.name }
  }

  func clean(_ pod: SimulatedPod) throws {
    let live = simulation.world.populated.filter { $0.pod == pod.name }
    try simulation.check(live.isEmpty, "the directory of \(pod.name) is emptied while it runs")
    simulation.note("the directory of \(pod.name) is emptied")
    simulation.world.stored[pod.name] = nil
    cleaning.insert(pod.name)
    jobs.append(.cleaned(pod, keptAs: nil))
  }

  func cleaned(_ pod: SimulatedPod, isGone: Bool) throws {
    cleaning.remove(pod.name)
    if isGone { return try forget(pod) }
    pod.record = try simulation.store.pod(pod.name)
  }

  private func forget(_ pod: SimulatedPod) throws {
    let live = simulation.world.populated.filter { $0.pod == pod.name }
    try simulation.check(live.isEmpty, "\(pod.name) is forgotten while it runs")
    pods[pod.name] = nil
    simulation.world.usersFiles[pod.name] = nil
    forgotten.append(pod)
    try handle(.forget, pod)
    resolve(pod, .operator)
  }

  func deprovisioned(_ gone: Deprovisioned) throws {
    if let record = gone.pod { try stopUnused(add(record)) }
    let (user, epoch) = (gone.user.name, gone.deleted.epoch)
    try withdraw(from: gone.deleted.keptFrom) { [unowned self] isKnown in
      if isKnown { departed(user, epoch) }
      endTurn(of: user)
    }
  }

  func suspended(_ change: AccessChange) throws {
    let pod = add(change.pod)
    let (user, epoch) = (change.user.name, change.user.epoch)
    try withdraw(from: change.isNew || pod.machine.hasStaleUsers ? pod.name : nil) { [unowned self] isKnown in
      if isKnown {
        simulation.note("confirmed: \(user) is suspended")
        simulation.world.withdraw(user, upTo: epoch)
      }
      endTurn(of: user)
    }
  }

  func resumed(_ change: AccessChange) throws {
    let pod = add(change.pod)
    if pod.state == .cold { updateDoor(pod) }
    let user = change.user.name
    try deliver(to: pod, .coming, isNew: change.isNew || pod.machine.hasStaleUsers) {
      [unowned self] isKnown in
      if isKnown { simulation.confirmed[user] = pod.name }
      endTurn(of: user)
    }
  }

  // MARK: Doors

  /// WakeOnConnect.update.
  func updateDoor(_ pod: SimulatedPod) {
    guard isServing else { return }
    pod.wakePolicy = pod.wakePolicy.next(pod.state, users: pod.takenBack > 0 ? 0 : pod.record.activeUsers)
    if !pod.wakePolicy.needsSocket(pod.state) { simulation.turnAway(pod.name) }
    switch pod.wakePolicy {
    case .closed: simulation.world.doors[pod.name]?.isAsleep = false
    case .wakes:
      let handover = pod.machine.current?.traits?.handover ?? simulation.handover(of: pod.name)
      if handover == .drain {
        simulation.world.doors[pod.name, default: World.Door()].isAsleep = true
      } else {
        simulation.world.doors[pod.name, default: World.Door()].isListening = true
      }
    case .keeps: break
    }
  }

  /// Once podd has let others see that the pod sleeps: it opens the door in the same step.
  func sleepsForSomebody(_ pod: SimulatedPod) -> Bool {
    let isAnnounced = !work.contains {
      if case .effect(let moved, .announce) = $0 { moved === pod } else { false }
    }
    return isAnnounced && pod.state == .cold && pod.record.activeUsers > 0 && pod.takenBack == 0
  }
}
