public import Time

/// What a new podd makes of what it finds.
extension PodMachine {
  /// A generation that was found running.
  public struct Found: Sendable, Equatable {
    public var unit: UnitName
    /// Its readiness is on record.
    public var isReady: Bool
    /// Why it is being stopped, as far as that is known.
    public var stop: GenerationLife.StopRecord?
    /// What it was launched with; nil when that is not known any more.
    public var traits: GenerationLife.Traits?

    public init(
      unit: UnitName, isReady: Bool, stop: GenerationLife.StopRecord?, traits: GenerationLife.Traits?
    ) {
      self.unit = unit
      self.isReady = isReady
      self.stop = stop
      self.traits = traits
    }
  }

  /// Takes over a generation: as the current one, or, when podd ended in the middle of a handover, as the other one,
  /// which is led to its end whatever it was for.
  ///
  /// - Returns: nil when it cannot be: its place is taken.
  public mutating func adopt(
    _ found: Found, as position: Lifecycle.Position, now: LoopTime
  ) -> (id: ID, effects: [Effect])? {
    guard self[position] == nil, position == .current || current != nil else { return nil }
    var life = GenerationLife(id: nextID())
    life.phase = .running
    life.unit = found.unit
    life.traits = found.traits
    life.stopRecord = found.stop
    if found.isReady { life.readiness = .serving }
    self[position] = life
    let watch = Effect.generation(life.id, .watch)
    switch position {
    case .current:
      lifecycle.adopt(ready: found.isReady, since: now)
      let service: [GenerationLife.Effect] =
        found.isReady ? [.resumeService] : [.armStartTimeout(.ofWorkload), .awaitReadiness]
      return (life.id, [watch] + service.map { .generation(life.id, $0) })
    case .other:
      lifecycle.adoptPredecessor(found.stop?.cause ?? .unknownAdopted)
      return (life.id, [watch] + stop(.other))
    }
  }

  /// The generation on record ended while podd was away.
  public mutating func endedUnseen(_ reason: EndReason) {
    if current?.unit == nil { lifecycle.endedUnseen(reason) }
  }

  /// podd may have ended after the generation was asked to stop, or before it could ask.
  mutating func resumeStop(_ moment: Moment) -> [Effect] {
    guard lifecycle.state == .ready || lifecycle.state == .starting,
      let event = lifecycle.resumption(current?.stopRecord?.cause, drains: drains)
    else { return [] }
    return step(event, moment)
  }
}
