import Systemd

/// nginx's TCP connections, which podd finds and closes for podgate.
@LoopActor
final class ClientConnections {
  /// What podd takes in one call.
  static let most = 256

  private var closing: Set<String> = []
  private var isClosing = false
  private let close: @LoopActor ([String]) async throws(BusError) -> Void
  private let find: @LoopActor ([String]) async throws(BusError) -> [String]

  /// - Parameters:
  ///   - close: Closes the connections of up to ``most`` peers.
  ///   - find: Which of up to ``most`` peers have a connection.
  init(
    close: @escaping @LoopActor ([String]) async throws(BusError) -> Void,
    find: @escaping @LoopActor ([String]) async throws(BusError) -> [String]
  ) {
    self.close = close
    self.find = find
  }

  /// As soon as podd can be asked.
  func close(_ peer: String) {
    closing.insert(peer)
    closeNext()
  }

  /// podd can be asked again.
  func canClose() { closeNext() }

  /// Which of the peers have a connection; nil if podd does not say.
  func find(_ peers: Set<String>) async -> Set<String>? {
    var found: Set<String> = []
    var rest = Array(peers)[...]
    while !rest.isEmpty {
      let batch = Array(rest.prefix(Self.most))
      rest = rest.dropFirst(batch.count)
      guard let part = try? await find(batch) else { return nil }
      found.formUnion(part)
    }
    return found
  }

  private func closeNext() {
    guard !isClosing, !closing.isEmpty else { return }
    isClosing = true
    // After the other streams that end for the same reason.
    loopTask {
      let batch = Array(self.closing.prefix(Self.most))
      self.closing.subtract(batch)
      do throws(BusError) {
        try await self.close(batch)
        self.isClosing = false
        self.closeNext()
      } catch {
        // Kept until podd is there, or the next stream has to be ended.
        GateLog.error("Connections of users without access cannot be closed yet: \(error.message)")
        self.closing.formUnion(batch)
        self.isClosing = false
      }
    }
  }
}
