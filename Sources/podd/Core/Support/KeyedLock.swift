import Systemd

/// Admits one caller at a time for each key; further callers wait, in the order in which they came.
@LoopActor
final class KeyedLock<Key: Hashable> {
  /// The waiting callers of each key that somebody holds.
  private var waiting: [Key: [UnsafeContinuation<Void, Never>]] = [:]

  func isTaken(_ key: Key) -> Bool { waiting[key] != nil }

  func take(_ key: Key) async {
    guard waiting[key] != nil else {
      waiting[key] = []
      return
    }
    await withUnsafeContinuation { waiting[key]?.append($0) }
  }

  func end(_ key: Key) {
    guard var others = waiting[key], !others.isEmpty else {
      waiting[key] = nil
      return
    }
    let next = others.removeFirst()
    waiting[key] = others
    next.resume()
  }
}
