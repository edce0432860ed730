/// What one user has under way: requests, and text that is not in a document yet.
final class UserLoad {
  fileprivate(set) var requests = 0
  /// Bytes of text in memory or in files without a name.
  fileprivate(set) var uploaded = 0
}

/// One request's part of its user's load, given back when this object goes.
final class RequestShare {
  let load: UserLoad
  private var uploaded = 0

  fileprivate init(_ load: UserLoad) {
    self.load = load
    load.requests += 1
  }

  deinit {
    load.requests -= 1
    load.uploaded -= uploaded
  }

  /// Takes room for text that arrived.
  /// - Parameter dataMax: what the user may store; as much again may be on its way.
  func upload(_ count: Int, dataMax: Int?) throws(StorageError) {
    guard load.uploaded + count <= dataMax ?? .max else {
      throw .busy("The user's uploads under way are together longer than \(dataMax ?? 0) bytes; try again.")
    }
    uploaded += count
    load.uploaded += count
  }
}

/// The loads of all users. No user can have all connections of the pod, nor more of the disk than its DataMax= and the
/// same again for uploads under way.
final class UserLoads {
  private var loads: [String: UserLoad] = [:]
  private let requestsMax: Int

  init(requestsMax: Int) {
    self.requestsMax = requestsMax
  }

  func begin(_ user: User) throws(StorageError) -> RequestShare {
    // Users come and go with the users file.
    if loads.count > 2000 { loads = loads.filter { $0.value.requests > 0 } }
    let load = loads[user.directory] ?? UserLoad()
    loads[user.directory] = load
    guard load.requests < requestsMax else {
      throw .busy("The user has \(requestsMax) requests under way; try again.")
    }
    return RequestShare(load)
  }
}
