/// Why a document could not be read or written; the message names the document or the directory.
public enum StorageError: Error, Equatable, Sendable {
  /// The text cannot stand in a scroll.
  case badText(String)
  /// A symbolic link or a special file in a document's place.
  case notServed(String)
  case tooLarge(String)
  /// No room: the disk, a quota or the user's own limit. Nothing has changed.
  case full(String)
  /// Another generation of this pod holds the user's directory.
  case busy(String)
  /// The document is not what it should be, or the system refused something.
  case failed(String)

  /// The HTTP status and the sentence for the client.
  var answer: (status: Int, reason: String) {
    switch self {
    case .badText(let reason): (400, reason)
    case .notServed(let reason): (403, reason)
    case .tooLarge(let reason): (413, reason)
    case .full(let reason): (507, reason)
    case .busy(let reason): (503, reason)
    case .failed(let reason): (500, reason)
    }
  }
}
