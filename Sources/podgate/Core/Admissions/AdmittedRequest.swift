import Time
import TokenCheck

/// A request that was admitted and has not ended, as far as podgate knows.
struct AdmittedRequest: Equatable {
  let serial: UInt64
  let user: String
  let pod: String
  /// By which podd finds and closes its connection: the client's address and port or, where nginx knows none, those of the
  /// pod.
  let peer: String
  /// What a WebSocket or an event stream lasts for; nil for other requests, which nobody ends.
  let stream: Rights?

  struct Rights: Equatable {
    let key: KeyFingerprint
    /// When the token would no longer be taken.
    let until: WallTime
  }

  // MARK: As a record of StreamFile

  /// `SERIAL USER POD PEER KEY UNTIL`, with tabs; nil for a request without rights.
  var record: String? {
    stream.map { "\(serial)\t\(user)\t\(pod)\t\(peer)\t\($0.key.text)\t\($0.until.sinceEpoch.count)\n" }
  }

  init(serial: UInt64, user: String, pod: String, peer: String, stream: Rights?) {
    self.serial = serial
    self.user = user
    self.pod = pod
    self.peer = peer
    self.stream = stream
  }

  init?(record: some BidirectionalCollection<UInt8>) {
    guard record.last == UInt8(ascii: "\n") else { return nil }
    let parts = String(decoding: record.dropLast(), as: UTF8.self)
      .split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 6, let serial = UInt64(parts[0]), let key = KeyFingerprint(parts[4]),
      let until = UInt64(parts[5])
    else { return nil }
    self.init(
      serial: serial, user: parts[1], pod: parts[2], peer: parts[3],
      stream: Rights(key: key, until: WallTime.epoch + Microseconds(until)))
  }
}
