import Systemd

/// One at a time for each key: whoever comes while another is at it waits for the end of that, in order.
@LoopActor
final class KeyedLock {
  /// A key is in here while somebody is at it.
  private var waiting: [String: [UnsafeContinuation<Void, Never>]] = [:]

  func take(_ key: String) async {
    guard waiting[key] != nil else {
      waiting[key] = []
      return
    }
    await withUnsafeContinuation { waiting[key]?.append($0) }
  }

  func end(_ key: String) {
    guard var others = waiting[key], !others.isEmpty else {
      waiting[key] = nil
      return
    }
    let next = others.removeFirst()
    waiting[key] = others
    next.resume()
  }
}
