internal import Glibc

/// The limits of one user's documents.
public struct StorageLimits: Sendable {
  /// Bytes of one document; beyond it is 413.
  public var document = 16 << 20
  /// Number of a user's documents; beyond it is 507.
  public var documents = 10_000
  /// Requests of a user that are under way; beyond it is 503. Less than the connections of the pod.
  public var requests = 128

  public init() {}
}

/// Reads and changes the documents of one user.
struct DocumentStore {
  let directory: UserDirectory
  let limits: StorageLimits
  let dataMax: Int?

  init(user: User, limits: StorageLimits) throws(StorageError) {
    directory = try UserDirectory(path: user.directory)
    self.limits = limits
    dataMax = user.dataMax
  }

  /// The document and its size, or nil when there is none.
  func open(_ name: DocumentName) throws(StorageError) -> (file: OpenFile, size: Int)? {
    guard let file = try directory.open(name) else { return nil }
    guard let status = file.status() else {
      throw .failed("\(name.fileName) cannot be read: \(describe(errno)).")
    }
    guard status.st_size <= limits.document else {
      throw .tooLarge("\(name.fileName) is larger than \(limits.document) bytes.")
    }
    return (file, Int(status.st_size))
  }

  static func source(_ file: OpenFile, _ name: DocumentName) -> ScrollReader.Source {
    { (offset, buffer) throws(StorageError) in
      guard let count = file.read(at: offset, into: buffer) else {
        throw .failed("\(name.fileName) cannot be read: \(describe(errno)).")
      }
      return count
    }
  }

  /// Applies an edit and stores the document.
  /// - Returns: How many bytes the scroll had before.
  func apply(_ edit: Edit, text: TextSpool?, at target: Coordinate, to name: DocumentName)
    throws(StorageError)
    -> Int
  {
    try directory.lock()
    let old = try open(name)
    var place = Place()
    if let old {
      let reader = ScrollReader(name: name.fileName, source: Self.source(old.file, name))
      place = try Place(of: target, in: reader)
    }
    let oldSize = old?.size ?? 0
    let oldText = place.own?.count ?? 0
    let textCount = text?.count ?? 0
    guard
      let pieces = pieces(
        applying: edit, textCount: textCount, at: target, place: place, documentSize: oldSize)
    else { return oldText }

    let size = pieces.reduce(0) { $0 + $1.count(textCount: textCount) }
    if size > oldSize || old == nil { try checkRoom(for: name, size: size, isNew: old == nil) }
    try directory.replace(name) { (target) throws(StorageError) in
      for piece in pieces {
        switch piece {
        case .old(let range):
          if let old { try copy(range, of: old.file, to: target, named: name.fileName) }
        case .bytes(let bytes):
          let code = bytes.withUnsafeBytes { target.write($0) }
          guard code == 0 else { throw UserDirectory.writeError(name.fileName, code) }
        case .text:
          try text?.write(to: target, named: name.fileName)
        }
      }
    }
    return oldText
  }

  private func checkRoom(for name: DocumentName, size: Int, isNew: Bool) throws(StorageError) {
    guard size <= limits.document else {
      throw .tooLarge("\(name.fileName) would be larger than \(limits.document) bytes.")
    }
    guard isNew || dataMax != nil else { return }
    let others = try directory.usage(without: name)
    guard others.documents < limits.documents else {
      throw .full("There are \(limits.documents) documents already, which is the limit.")
    }
    if let dataMax, others.bytes + size > dataMax {
      throw .full("The documents would exceed the limit of \(dataMax) bytes. Nothing has changed.")
    }
  }
}

extension Piece {
  func count(textCount: Int) -> Int {
    switch self {
    case .old(let range): range.count
    case .bytes(let bytes): bytes.count
    case .text: textCount
    }
  }
}
