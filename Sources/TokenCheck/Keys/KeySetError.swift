/// Why a file of keys cannot be used; nothing of it is then in force. The text never has a part of a key.
public struct KeySetError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file, and the key if it is one key's fault: `/etc/podctl/keys.json: key 2 (kid "b")`.
  public let place: String
  /// What is wrong, and what is needed instead.
  public let reason: String

  public var description: String { "\(place): \(reason)" }
}
