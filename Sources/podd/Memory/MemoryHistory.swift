import PodModel
import PodStore
import Systemd

/// The minutes of every pod, kept for 30 days.
@LoopActor
final class MemoryHistory {
  private unowned let host: PodHost

  init(host: PodHost) {
    self.host = host
  }

  /// Takes a sample of a running pod. Once a minute, what was gathered becomes one row a pod.
  func note(_ sample: MemorySample, of pod: Pod) {
  }
}
