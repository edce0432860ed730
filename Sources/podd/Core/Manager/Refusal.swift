import Glibc
import PodAPI
import PodStore
import Systemd

/// Why a method was refused or failed: the D-Bus error and one sentence for people.
struct Refusal: Error {
  let error: APIError
  let message: String
  /// The error of the system call that failed, if one did.
  private(set) var errno: Int32?

  init(_ error: APIError, _ message: String) {
    self.error = error
    self.message = message
  }

  /// Something about data that the store remembers, and podd does when it is called again or started again.
  static func data(_ failure: Errno, _ what: String) -> Refusal {
    let full = failure.code == ENOSPC || failure.code == EDQUOT
    var refusal = Refusal(full ? .storageFull : .storageFailed, "\(what): \(failure)")
    refusal.errno = failure.code
    return refusal
  }

  init(_ failure: StoreError) {
    let error: APIError =
      switch failure {
      case .full: .storageFull
      case .busy, .unvettedUID: .busy
      case .portRangeExhausted: .portRangeExhausted
      case .addressesExhausted: .addressesExhausted
      case .noSuchUser: .noSuchUser
      case .noSuchPod: .noSuchPod
      case .conflict: .busy
      case .otherTier: .otherTier
      case .suspended: .userSuspended
      case .newerSchema, .corrupt, .system, .sqlite, .noSuchGeneration: .storageFailed
      }
    self.init(error, failure.description)
  }

  init(_ failure: Configuration.Failure) {
    switch failure {
    case .noSuchTier: self.init(.noSuchTier, failure.description)
    case .settings, .noSuchWorkload: self.init(.invalidSettings, failure.description)
    }
  }

  init(_ failure: Errno) {
    let full = failure.code == ENOSPC || failure.code == EDQUOT
    self.init(full ? .storageFull : .storageFailed, "\(failure.description); nothing was changed")
  }

  init(_ failure: UsersFile.Failure) {
    switch failure {
    case .io(let errno): self.init(errno)
    case .template: self.init(.invalidSettings, failure.description)
    case .notDelivered: self.init(.launchFailed, failure.description)
    }
  }
}
