import Systemd

/// Admits one caller at a time for each key; further callers wait, in the order in which they came.
@LoopActor
final class KeyedLock {
  /// The waiting callers of each key that somebody holds.
  private var waiting: [String: [UnsafeContinuation<Void, Never>]] = [:]

  func isTaken(_ key: String) -> Bool { waiting[key] != nil }

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
