import Linux
import PodModel
import PodStore
import Systemd
import Time

/// A pod's connections: who is counted, and who is held off while it is replaced.
extension Pod {
  /// What the next generation would be launched with; nil when the settings do not parse.
  var nextWorkload: Workload? {
    (try? host.configuration.tier(record.tier)).flatMap { try? host.configuration.workload(of: $0.tier) }
  }

  /// How the running generation can be replaced.
  var handover: Lifecycle.Handover { machine.handover(next: nextHandover) }

  /// The handover that the current settings allow the next generation; nil when they do not parse.
  var nextHandover: Lifecycle.Handover? { nextWorkload.map(handover(of:)) }

  /// A generation with the layout of 0.1 has no successor next to it: between the two, podd moves the directories of the
  /// users (decision 0021).
  func handover(of workload: Workload) -> Lifecycle.Handover {
    record.layout == .mixed && workload.handover == .overlap ? .queue : workload.handover
  }

  /// Replaces what runs, gracefully.
  func replace(_ cause: EndReason) {
    handle(.replace(cause, next: nextHandover))
  }

  // MARK: Holding

  /// From here on the front doors hold new requests; ``Firewall/hold(_:address:port:timeout:)`` holds the rest.
  func holdConnections(timeout: Microseconds) async {
    if heldSince == nil { heldSince = EventLoop.main.now() }
    await host.frontDoors.hold(name, timeout: timeout)
  }

  /// Lets new connections in again, and logs how long they waited.
  func releaseConnections() async {
    guard let since = heldSince else { return }
    heldSince = nil
    let gap = EventLoop.main.now() - since
    host.frontDoors.release(name)
    await host.firewall.release(name)
    host.report(.released(subject, gap: gap))
  }

  // MARK: Counting

  /// The pod's connections, whichever of its generations they belong to, but for podd's own probe.
  func usersConnections() throws(Errno) -> [PodConnection] {
    try Connections.of(address: record.address, port: record.port).filter(isUsers)
  }

  /// A probe that podd has given up waits like a user's connection until the program accepts it.
  func isUsers(_ connection: PodConnection) -> Bool {
    connection.remotePort != probePort
      && (connection.isAccepted || !probePorts.contains(connection.remotePort))
  }

  /// How many users' connections the pod has now; nil when the kernel does not tell.
  var connections: Int? { try? usersConnections().count }
}
