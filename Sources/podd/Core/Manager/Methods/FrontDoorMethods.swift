import PodAPI

extension ManagerMethods {
  func attachFrontDoor(_ call: Nothing) async throws(Refusal) -> Nothing {
    try frontDoorWatch.start()
    host.frontDoors.attach(caller.sender)
    do throws(Refusal) {
      // It may have left before the watch began, and then nothing would report that.
      try await frontDoorWatch.check(caller.sender)
    } catch {
      host.frontDoors.detach(caller.sender)
      throw error
    }
    return Nothing()
  }

  func acknowledgeHold(_ call: HoldCall) async throws(Refusal) -> Nothing {
    guard host.frontDoors.acknowledge(call.hold, by: caller.sender) else {
      throw Refusal(.busy, "there is no hold \(call.hold) any more")
    }
    return Nothing()
  }
}
