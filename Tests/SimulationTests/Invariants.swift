import PodModel
import PodStore
import Time

/// docs/design.md's invariants, as far as a world without real disks and sockets can break them.
extension Simulation {
  /// After every step.
  func checkInvariants() throws {
    let populated = world.populated
    // 2: what the processes say, not what podd remembers.
    var live: [PodName: [UnitName]] = [:]
    for unit in populated { live[unit.pod, default: []].append(unit) }
    for units in live.values where units.count > 1 {
      try check(units.count == 2, "\(units) live at the same time")
      try check(
        units.allSatisfy { world.handovers[$0] == .overlap },
        "\(units) live at the same time and may not overlap")
    }
    // A withdrawn token is dead.
    if let betrayal = world.betrayal { try check(false, betrayal) }
    // What we chose to stop loses no request, unless its time was over.
    for (unit, count) in world.lostByStop where !world.excused.contains(unit) {
      try check(false, "\(unit) was stopped with \(count) requests in hand")
    }
    guard let podd, podd.isServing else { return }
    // 4: no scope without a row, no row without a scope.
    for unit in populated { try check(openRows.contains(unit), "\(unit) runs and is not on record") }
    for unit in openRows where !lostEnds.contains(unit) {
      let isKnown = podd.pods[unit.pod]?.machine.openUnits.contains(unit) ?? false
      let isEnding = podd.isRecordingEnd(of: unit)
      try check(isKnown || isEnding, "\(unit) is open on record and podd does not know it")
    }
    if podd.work.isEmpty { try checkProgress(podd) }
    if podd.work.isEmpty, podd.jobs.isEmpty, !podd.doubtfulWishes.isEmpty {
      for pod in podd.pods.values where podd.doubtfulWishes.contains(pod.name) { try checkWish(pod) }
      podd.doubtfulWishes = []
    }
    // 7: nobody waits for what cannot come; what comes back by itself does so ever more slowly.
    var waiting: Set<Int> = []
    for pod in podd.pods.values {
      try check(
        !podd.work.isEmpty || pod.waiters.isEmpty
          || [.starting, .stopping, .draining, .frozen].contains(pod.state)
          || pod.lifecycle.isBeingReplaced,
        "\(pod.waiters.count) wait for \(pod.name), which is \(pod.state)")
      waiting.formUnion(pod.waiters)
      let recent = pod.relaunches.filter { $0 + policy.burstInterval > world.now }
      try check(
        recent.count < policy.burst, "\(pod.name) was launched again \(recent.count) times in a minute")
      let other = pod.machine.other
      let isUnderWay = pod.machine.current != nil || pod.state == .stopping && other != nil
      try check(
        (pod.lifecycle.other != nil) == (other != nil),
        "\(pod.name) has \(other == nil ? "no" : "an") other generation, decided is otherwise")
      // While there are effects to be performed, podd's own list of them lags behind.
      let lives = Set(pod.machine.generations.map(\.id))
      try check(
        !podd.work.isEmpty || lives == Set(pod.generations.keys),
        "\(pod.name) has \(lives), podd holds \(pod.generations.keys)")
      try check(
        pod.state.hasScope == isUnderWay,
        "\(pod.name) is \(pod.state), but \(isUnderWay ? "something" : "nothing") is under way")
    }
    for case .call(let call?, _) in podd.work { waiting.insert(call) }
    waiting.formUnion(podd.deliveries.compactMap(\.call))
    for job in podd.jobs { if case .provision(let call, _, _, _) = job { waiting.insert(call) } }
    for call in podd.calls.keys { try check(waiting.contains(call), "call \(call) is forgotten") }
  }

  /// 7: of each generation something is under way, so that it comes to its end or serves; and what is called ready has
  /// a program that can serve, as far as podd has been told.
  private func checkProgress(_ podd: Performer) throws {
    for pod in podd.pods.values {
      for life in pod.machine.generations {
        guard let generation = pod.generations[life.id] else { continue }
        let isUnderWay =
          !generation.operations.isEmpty || generation.isWatched
          || life.phase == .waiting(.room) && pod.machine.other != nil || podd.isWriting(life.id, of: pod)
        try check(
          isUnderWay, "\(generation.unit?.description ?? pod.name.description) is \(life.phase) for ever")
      }
      guard pod.state == .ready, pod.lifecycle.other == nil, let current = pod.current else { continue }
      try check(
        current.isWatched || current.operations.contains(.evidence),
        "\(pod.name) is called ready, and its program has ended")
    }
  }

  /// A customer inherits nothing: the first user of a pod finds nothing that its program stored for others.
  func checkWelcome(_ placed: Provisioned) throws {
    guard placed.createdUser, placed.pod.users == 1 else { return }
    let others = (world.stored[placed.pod.name] ?? []).subtracting([placed.user.name])
    try check(others.isEmpty, "\(placed.user.name) gets \(placed.pod.name) with what it stored for \(others)")
  }

  /// podd dies. A stop that it asked for and had time to write down is the reason for the end, whoever records that.
  func keepPromises() {
    guard let podd else { return }
    for (unit, cause) in podd.stops where cause != .unknownAdopted {
      let isPending = podd.jobs.contains { if case .stop(unit, _) = $0 { true } else { false } }
      if !isPending { promisedStops[unit] = cause }
    }
  }

  /// Now and then: what is on the disk. 1, 3 and 6.
  func checkStore() throws {
    let broken = try store.verifyInvariants(usersPerPod: Self.usersPerPod)
    try check(broken.isEmpty, broken.joined(separator: "; "))
    let open = Set(try store.openGenerations().map(\.unit))
    try check(open == openRows, "open on record are \(open), not \(openRows)")
    for (user, pod) in confirmed {
      let record = try? store.user(user)
      try check(
        record?.pod == pod && record?.status == .active,
        "\(user) was confirmed on \(pod) and is \(record?.pod?.description ?? "nowhere")")
    }
  }

  /// 3: what is wanted of a pod, when nothing about it is on its way to the disk.
  private func checkWish(_ pod: SimulatedPod) throws {
    let record = try store.pod(pod.name)
    if lostWishes.contains(pod.name) { return }
    try check(
      record.wanted == pod.lifecycle.wanted,
      "\(pod.name) shall be \(record.wanted) on record and \(pod.lifecycle.wanted) in memory")
    try check(record.crashLoopHold == (pod.state == .crashLoop), "\(pod.name)'s hold is not on record")
  }

  /// When nothing is left to be done.
  func checkRest() throws {
    guard let podd else { return try check(false, "no podd") }
    try checkStore()
    try check(
      podd.calls.isEmpty && podd.turns.isEmpty && podd.deliveries.isEmpty,
      "\(podd.calls.count) calls are not answered")
    try checkUsersAreKnown(podd)
    try check(try store.unsettled().isEmpty, "data has still to be moved")
    try check(try store.podsDueForCleaning().isEmpty, "pods have still to be cleaned")
    try check(podd.launchSlots == Performer.launchesMax, "\(podd.launchSlots) launch slots are left")
    var expected: Set<UnitName> = []
    for pod in podd.pods.values.sorted(by: { $0.name < $1.name }) {
      try checkWish(pod)
      switch pod.state {
      case .ready, .frozen:
        try check(pod.lifecycle.wanted == .run, "\(pod.name) runs and nobody wants it")
        try check(pod.machine.other == nil, "\(pod.name) still has another generation")
        let unit = pod.machine.current?.unit
        if let unit { expected.insert(unit) }
        let isFrozen = unit.map { world.frozenUnits.contains($0) } ?? false
        // Whoever was caught by an operator's freeze keeps it from being stopped.
        let isUsed = unit.map { world.requests(in: $0) > 0 } ?? false
        try check(
          isUsed || idlePolicy.stopAfter == .zero && (isFrozen || idlePolicy.freezeAfter == .zero),
          "\(pod.name) is \(pod.state) and nobody uses it")
        try check(isFrozen == (pod.state == .frozen), "\(pod.name) is \(pod.state), but its scope is not")
        try check(
          isFrozen || unit.map { world.requests(in: $0) } == 0, "\(pod.name) has not answered everybody")
        try check(
          isFrozen || world.doors[pod.name].map { $0.waiting == 0 } ?? true,
          "\(pod.name) lets somebody wait who could be served")
      case .crashLoop: break
      case .cold:
        try check(pod.lifecycle.wanted == .cold, "\(pod.name) is cold and shall be \(pod.lifecycle.wanted)")
        try check(
          pod.wakePolicy == .closed || world.doors[pod.name].map { $0.waiting == 0 } ?? true,
          "\(pod.name) sleeps while somebody waits for it")
      case .stopped:
        try check(
          pod.lifecycle.wanted == .stopped, "\(pod.name) is stopped and shall be \(pod.lifecycle.wanted)")
      default: try check(false, "\(pod.name) is still \(pod.state)")
      }
      try check(
        pod.isFirewallOpen == pod.state.hasScope,
        "the firewall of \(pod.name), which is \(pod.state), is \(pod.isFirewallOpen ? "open" : "closed")")
    }
    try check(Set(world.populated) == expected, "\(world.populated) run, expected are \(expected)")
    try check(openRows.subtracting(lostEnds) == expected, "open are \(openRows), expected are \(expected)")
    for name in try store.pods().map(\.name) {
      try check(podd.pods[name] != nil, "\(name) is on record and podd does not know it")
    }
  }

  /// 3 and 7: whoever has access is served, and nobody else, whatever failed before.
  private func checkUsersAreKnown(_ podd: Performer) throws {
    for pod in podd.pods.values where pod.state == .ready {
      guard let process = pod.current?.pid.flatMap({ world.processes[$0] }) else { continue }
      let users = process.hasReloadSignal ? world.usersFiles[pod.name]?.users : process.users
      let placed = try podd.tokens(of: pod.name)
      try check(users == placed, "\(pod.name) serves \(users ?? []), and the store has \(placed)")
    }
  }

  /// 4 and 5: at rest a new podd finds everything as it should be.
  func restartChangesNothing() throws {
    note("podd is restarted at rest")
    let before = world.processes.mapValues(\.ticks)
    let states = podd?.pods.mapValues(\.state)
    let isAllOnDisk = lostWishes.isEmpty
    let notifications = world.notifications
    // A frozen program reads its users when it is thawed.
    let isBehind = podd?.pods.values.contains { $0.machine.hasStaleUsers } ?? false
    crash()
    let again = try Performer(self)
    podd = again
    for _ in 0..<200 {
      step += 1
      if try !again.step() { break }
      try checkInvariants()
    }
    guard isAllOnDisk else { return }
    try check(world.processes.mapValues(\.ticks) == before, "a restart of podd touched running pods")
    let areQuiet = isBehind || world.notifications == notifications
    try check(areQuiet, "a restart of podd notified programs of what they knew")
    try check(again.pods.mapValues(\.state) == states, "a restart of podd changed the pods' states")
    lostEnds = []
    try checkRest()
  }
}

extension Performer {
  /// Whether something about the generation, which it waits for, is on its way to the disk.
  func isWriting(_ id: PodMachine.ID, of pod: SimulatedPod) -> Bool {
    jobs.contains {
      switch $0 {
      case .begin(let other, id, _), .awaitedReady(let other, id, _): other === pod
      default: false
      }
    }
  }

  /// Whether its end is on its way to the disk.
  func isRecordingEnd(of unit: UnitName) -> Bool {
    jobs.contains { if case .end(unit, _) = $0 { true } else { false } }
      || work.contains {
        if case .effect(_, .generation(_, .recordEnd(unit, _, _))) = $0 { true } else { false }
      }
  }
}
