import Linux
import PodAPI
import PodModel
import PodStore
import Systemd
import Time

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

  func resolveUser(_ call: UserCall) async throws(Refusal) -> ResolvedUser {
    try await views.resolved(Self.userName(call.user))
  }

  func closeClientConnections(_ call: ClientPeers) async throws(Refusal) -> Nothing {
    let peers = try Self.peers(call.peers)
    do throws(Errno) {
      _ = try await host.clientConnections.close(peers)
    } catch {
      throw Refusal(.busy, "the connections cannot be ended: \(error)")
    }
    return Nothing()
  }

  func findClientConnections(_ call: ClientPeers) async throws(Refusal) -> ClientPeers {
    let peers = try Self.peers(call.peers)
    do throws(Errno) {
      let found = try await host.clientConnections.find(peers)
      return ClientPeers(peers: zip(call.peers, found).filter(\.1).map(\.0))
    } catch {
      throw Refusal(.busy, "the connections cannot be found: \(error)")
    }
  }

  /// Users and pods that are not known any more are left out: no report may fail again and again.
  func reportUse(_ call: UseReport) async throws(Refusal) -> Nothing {
    let uses = call.users.compactMap { row in
      (try? UserName(validating: row.user)).map { (user: $0, at: row.at) }
    }
    if !uses.isEmpty {
      let now = Clock.wall
      try await host.ask { store throws(StoreError) in try store.recordUse(uses, now: now) }
    }
    // After the disk, which may refuse: the caller then repeats its whole report.
    for row in call.pods { PodName(row.pod).flatMap { host.pods[$0] }?.requests.add(row.requests) }
    return Nothing()
  }

  /// In memory only, so a front door may call it every second.
  func reportRequests(_ call: RequestsReport) async throws(Refusal) -> Nothing {
    for row in call.pods { PodName(row.pod).flatMap { host.pods[$0] }?.requests += row.counts }
    host.figures.requestsReported(at: EventLoop.main.now())
    return Nothing()
  }

  private static func peers(_ texts: [String]) throws(Refusal) -> [ClientConnections.Peer] {
    var peers: [ClientConnections.Peer] = []
    for text in texts {
      guard let peer = ClientConnections.Peer(text) else {
        throw Refusal(
          .invalidPeer, "'\(text.prefix(64))' is no peer: write ADDRESS:PORT, or [IPV6-ADDRESS]:PORT")
      }
      peers.append(peer)
    }
    return peers
  }
}
