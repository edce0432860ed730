import PodAPI
import PodModel
import PodStore
import Systemd

/// Emits the manager object's signals.
@LoopActor
final class ManagerSignals {
  private let bus: Bus

  init(bus: Bus) {
    self.bus = bus
  }

  /// From now on the host's state changes and its front doors' holds are emitted here.
  func connect(to host: PodHost) {
    host.onChange = { [weak self] pod in self?.stateChanged(pod) }
    host.onUserChange = { [weak self] user in
      self?.emit(
        .userChanged,
        UserChange(user: user.name.text, status: user.status.rawValue, pod: user.pod?.description))
    }
    host.onSettingsChange = { [weak self] in self?.emit(.settingsChanged, Nothing()) }
    host.frontDoors.onHold = { [weak self] hold in self?.emit(.holdPod, hold) }
    host.frontDoors.onRelease = { [weak self] release in self?.emit(.releasePod, release) }
  }

  func rolloutProgressed(_ progress: RolloutProgress) { emit(.rolloutProgress, progress) }

  private func stateChanged(_ pod: Pod) {
    emit(
      .podStateChanged,
      StateChange(
        pod: pod.name.description, state: pod.state.rawValue,
        generation: UInt64(max(0, pod.machine.lastGeneration)), reason: pod.lifecycle.lastEnd?.description))
  }

  /// A signal that cannot be sent is dropped: clients that missed one can call ListPods.
  private func emit(_ signal: Signal, _ body: some MessageBody) {
    do throws(BusError) {
      let message = try bus.newSignal(path: PodBus.path, interface: PodBus.interface, member: signal.name)
      try body.append(to: message)
      try bus.send(message)
    } catch {
      Log.debug("Cannot send \(signal.name), ignoring: \(error.message)")
    }
  }
}
