import PodAPI

extension ManagerMethods {
  func attachFrontDoor(_ call: Nothing) async throws(Refusal) -> Nothing {
    try frontDoorWatch.start()
    host.frontDoors.attach(caller.sender)
    return Nothing()
  }

  func acknowledgeHold(_ call: HoldCall) async throws(Refusal) -> Nothing {
    guard host.frontDoors.acknowledge(call.hold, by: caller.sender) else {
      throw Refusal(.busy, "there is no hold \(call.hold) any more")
    }
    return Nothing()
  }
}
