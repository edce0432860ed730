import PodModel
import PodStore

/// Where the data of pods and users lies: the one place that knows these paths (decision 0021).
///
/// What is under way between a pod and what is kept lies in directories whose names begin with a dot, which no pod and
/// no user has. No pod reaches them. They are in the file system from which, or into which, the last step renames.
struct DataPlaces: Sendable {
  let root: String

  static let host = DataPlaces(root: StateDirectory.path)

  var pods: String { root + "/pods" }
  var kept: String { root + "/kept" }

  func directory(of pod: PodName) -> String { "\(pods)/\(pod)" }

  /// The directory in which those of the pod's users lie.
  func usersDirectory(of pod: PodName, _ layout: PodRecord.Layout) -> String {
    layout == .apart ? directory(of: pod) + "/users" : directory(of: pod)
  }

  func directory(of user: UserName, in pod: PodName, _ layout: PodRecord.Layout) -> String {
    "\(usersDirectory(of: pod, layout))/\(user)"
  }

  /// The directories for what is put aside and what is under way, each after the one in which it lies.
  var ownDirectories: [String] {
    ["/.arriving", "/.arriving/users", "/.arriving/programs", "/.leaving", "/.migrating", "/.removing"].map {
      pods + $0
    } + ["/.arriving", "/.programs"].map { kept + $0 }
  }

  // MARK: Put aside

  func kept(_ user: UserName) -> String { "\(kept)/\(user)" }

  /// What programs stored, by the last user of the pod. Nobody knows this user of some pods that 0.1 left behind.
  func keptPrograms(of user: UserName?) -> String { "\(kept)/.programs/\(user?.text ?? ".unknown")" }

  // MARK: Under way

  /// Taken out of the pod's directory, not put aside yet.
  func leaving(_ user: UserName) -> String { "\(pods)/.leaving/\(user)" }
  /// Copied from another file system, before it is put aside.
  func keeping(_ name: String) -> String { "\(kept)/.arriving/\(name)" }
  /// In new inodes, not in a pod yet.
  func arriving(_ user: UserName) -> String { "\(pods)/.arriving/users/\(user)" }
  func arrivingPrograms(of user: UserName) -> String { "\(pods)/.arriving/programs/\(user)" }
  /// The users' directories of a pod with the layout of 0.1.
  func migrating(_ pod: PodName) -> String { "\(pods)/.migrating/\(pod)" }
  /// What is here is to be removed.
  var removing: String { pods + "/.removing" }
}
