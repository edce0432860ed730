internal import HTTPWire

/// A request that brings text for a scroll: takes the body as it arrives, then changes the document.
final class Upload {
  private let edit: Edit
  private let name: DocumentName
  private let coordinate: Coordinate
  private let store: DocumentStore
  private let limit: Int
  /// The text of the query, which is used when the body is empty, as in SQ.
  private let queryText: [UInt8]?
  private let spool: TextSpool
  private let share: RequestShare

  init(
    edit: Edit, name: DocumentName, coordinate: Coordinate, text: [UInt8]?, limit: Int, store: DocumentStore,
    share: RequestShare
  ) {
    self.share = share
    self.edit = edit
    self.name = name
    self.coordinate = coordinate
    self.store = store
    self.limit = limit
    queryText = text
    spool = TextSpool(directory: store.directory)
  }

  /// Refuses, before it is sent, a body that cannot be stored.
  func checkLength(_ length: Int) throws(StorageError) {
    guard length <= limit else { throw .tooLarge("The text is longer than \(limit) bytes.") }
    if let dataMax = store.dataMax, length > dataMax {
      throw .full("The text is longer than the limit of \(dataMax) bytes for all documents.")
    }
  }

  func append(_ bytes: Span<UInt8>) throws(StorageError) {
    try checkLength(spool.count + bytes.count)
    try share.upload(bytes.count, dataMax: store.dataMax)
    try spool.append(bytes)
  }

  /// Stores the text, which is complete.
  func finish() throws(StorageError) -> Reply {
    if spool.count == 0, let queryText { try spool.append(queryText.span) }
    try spool.finish()
    let count = spool.count
    _ = try store.apply(edit, text: spool, at: coordinate, to: name)
    switch edit {
    case .append: return Reply("Inserted \(count) bytes")
    case .replace, .remove: return Reply("Updated \(count) bytes")
    }
  }
}
