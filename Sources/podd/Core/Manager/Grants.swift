import PodAPI
import Time

/// What polkit has allowed a moment ago, for actions that a program does again and again: a front door asks for each user
/// who comes, and polkit needs longer for its answer than podd. A refusal is not remembered.
struct Grants {
  /// How long an administrator waits at most until a grant that they have withdrawn ends.
  static let lifetime: Microseconds = .seconds(10)
  static let mostKept = 64

  /// A connection's unique name is never used again.
  private struct Key: Hashable {
    let sender: String
    let action: PolkitAction
  }

  private var allowedAt: [Key: LoopTime] = [:]

  /// Whether polkit need not be asked.
  func hold(_ sender: String, _ action: PolkitAction, at now: LoopTime) -> Bool {
    guard let at = allowedAt[Key(sender: sender, action: action)] else { return false }
    return now < at + Self.lifetime
  }

  mutating func add(_ sender: String, _ action: PolkitAction, at now: LoopTime) {
    guard !action.isAskedForEachCall else { return }
    if allowedAt.count >= Self.mostKept {
      allowedAt = allowedAt.filter { now < $0.value + Self.lifetime }
      guard allowedAt.count < Self.mostKept else { return }
    }
    allowedAt[Key(sender: sender, action: action)] = now
  }
}
