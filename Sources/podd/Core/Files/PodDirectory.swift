import Glibc
import Linux
import PodModel
import PodStore

/// A pod's directory. The pod owns it and may have put anything into it: nothing in it is followed, and what podd needs
/// of it is opened step by step.
///
/// The directory `users` in it belongs to root. So the pod's program cannot add to it, and its users' names are nobody
/// else's.
struct PodDirectory: Sendable {
  let places: DataPlaces
  let pod: PodName
  let uid: UInt32
  let layout: PodRecord.Layout

  private static let users = "users"

  private var path: String { places.directory(of: pod) }

  /// Makes what is missing.
  func ensure() throws(Errno) {
    _ = try ensureUsersDirectory()
  }

  /// The open directory in which those of the users lie; it is made when it is missing.
  func ensureUsersDirectory() throws(Errno) -> FileDescriptor {
    try Files.makeDirectory(path, mode: 0o700, owner: uid)
    let directory = try open()
    guard layout == .apart else { return directory }
    if mkdirat(directory.raw, Self.users, 0o700) != 0 && errno != EEXIST {
      throw Errno.last("create \(path)/\(Self.users)")
    }
    guard let users = try usersDirectory() else { throw Errno(ENOENT, "open \(path)/\(Self.users)") }
    // The program may list it.
    var status = stat()
    guard fstat(users.raw, &status) == 0 else { throw Errno.last("look at \(path)/\(Self.users)") }
    if status.st_gid != uid || status.st_mode & 0o7777 != 0o750 {
      guard fchown(users.raw, 0, uid) == 0, fchmod(users.raw, 0o750) == 0 else {
        throw Errno.last("change the owner of \(path)/\(Self.users)")
      }
    }
    return users
  }

  /// The same; nil where there is none.
  func usersDirectory() throws(Errno) -> FileDescriptor? {
    guard try Files.kind(of: path) != nil else { return nil }
    let directory = try open()
    guard layout == .apart else { return directory }
    let users: FileDescriptor
    do throws(Errno) {
      users = try FileDescriptor.open(Self.users, at: directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    } catch {
      if error.code == ENOENT { return nil }
      throw isAlien(error.code)
    }
    var status = stat()
    guard fstat(users.raw, &status) == 0, status.st_uid == 0 else { throw isAlien(EPERM) }
    return users
  }

  private func open() throws(Errno) -> FileDescriptor {
    try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  }

  private func isAlien(_ code: Int32) -> Errno {
    Errno(code, "\(path)/\(Self.users) is not podd's: the program of \(pod) put something else in its place")
  }

  // MARK: Users

  /// Makes the directories of these users, in a constant number of system calls for each. Returns who cannot have one,
  /// and why.
  func ensure(_ users: [UserName]) throws(Errno) -> [UserName: Errno] {
    let directory = try ensureUsersDirectory()
    var troubles: [UserName: Errno] = [:]
    for user in users {
      do throws(Errno) { try ensure(user, at: directory) } catch { troubles[user] = error }
    }
    return troubles
  }

  private func ensure(_ user: UserName, at directory: borrowing FileDescriptor) throws(Errno) {
    let name = user.text
    let path = places.directory(of: user, in: pod, layout)
    var status = stat()
    if fstatat(directory.raw, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode == S_IFDIR | 0o700,
      status.st_uid == uid, status.st_gid == uid
    {
      return
    }
    if mkdirat(directory.raw, name, 0o700) != 0 && errno != EEXIST { throw Errno.last("create \(path)") }
    let own: FileDescriptor
    do throws(Errno) {
      own = try FileDescriptor.open(name, at: directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    } catch {
      throw Errno(error.code, "\(path) is no directory that \(user) can have: move it away")
    }
    guard fchown(own.raw, uid, uid) == 0, fchmod(own.raw, 0o700) == 0 else {
      throw Errno.last("change the owner of \(path)")
    }
  }

  /// Takes a user's directory, or what the program put in its place, out of the pod. Returns whether there was one.
  func withdraw(_ user: UserName, to target: String) throws(Errno) -> Bool {
    let users: FileDescriptor
    do throws(Errno) {
      guard let found = try usersDirectory() else { return false }
      users = found
    } catch {
      guard layout == .apart, [ELOOP, ENOTDIR, EPERM].contains(error.code) else { throw error }
      // The program has hidden its users' data from podd as well. It goes with the pod's last user.
      Log.warning("\(user): \(error)")
      return false
    }
    do throws(Errno) {
      try Files.move(user.text, at: users.raw, to: target)
      return true
    } catch {
      if error.code == ENOENT, try Files.kind(of: parent(of: target)) != nil { return false }
      throw error
    }
  }

  /// Puts a user's directory that is complete into the pod.
  func admit(_ user: UserName, from source: String) throws(Errno) {
    let users = try ensureUsersDirectory()
    // A launch made an empty one before podd knew of the data.
    unlinkat(users.raw, user.text, AT_REMOVEDIR)
    do throws(Errno) {
      try Files.move(source, to: user.text, in: users.raw)
    } catch {
      throw Errno(error.code, "move \(source) to \(places.directory(of: user, in: pod, layout))")
    }
  }

  // MARK: The whole

  /// Removes it if nothing is stored in it. Returns whether it is gone.
  func removeIfEmpty() throws(Errno) -> Bool {
    guard try Files.kind(of: path) != nil else { return true }
    let directory = try open()
    unlinkat(directory.raw, Self.users, AT_REMOVEDIR)
    if rmdir(path) == 0 || errno == ENOENT { return true }
    if errno == ENOTEMPTY || errno == EEXIST { return false }
    throw Errno.last("remove \(path)")
  }

  /// Gives a name that podd does not use to what the program put in the place of `users`, or what is left in it.
  func renameUsersDirectory() throws(Errno) {
    let directory = try open()
    for number in 1...100 {
      do throws(Errno) {
        return try Files.move(
          Self.users, at: directory.raw, to: "\(Self.users).program\(number == 1 ? "" : String(number))",
          in: directory.raw)
      } catch {
        if error.code == ENOENT { return }
        if error.code != EEXIST { throw Errno(error.code, "rename \(path)/\(Self.users)") }
      }
    }
    throw Errno(EEXIST, "rename \(path)/\(Self.users)")
  }

  /// Moves the directories of these users, one by one, from the pod's directory into one of their own. It can be done
  /// again after a crash at any point. No generation of the pod may live.
  func migrate(_ users: [UserName]) throws(Errno) {
    guard try Files.kind(of: path) != nil else { return }
    let directory = try open()
    let staging = places.migrating(pod)
    if try Files.kind(of: staging) == nil, try isMigrated(directory) { return }
    try Files.makeDirectory(parent(of: staging), mode: 0o700)
    try Files.makeDirectory(staging, mode: 0o700)
    for user in users {
      do throws(Errno) {
        try Files.move(user.text, at: directory.raw, to: "\(staging)/\(user)")
      } catch {
        if error.code != ENOENT { throw error }
      }
    }
    // The program's own, by chance of the same name.
    try renameUsersDirectory()
    guard chown(staging, 0, uid) == 0, chmod(staging, 0o750) == 0 else {
      throw Errno.last("change the owner of \(staging)")
    }
    try Files.move(staging, to: Self.users, in: directory.raw)
  }

  /// Only podd makes a directory of root's here.
  private func isMigrated(_ directory: borrowing FileDescriptor) throws(Errno) -> Bool {
    var status = stat()
    if fstatat(directory.raw, Self.users, &status, AT_SYMLINK_NOFOLLOW) == 0 {
      return status.st_mode & S_IFMT == S_IFDIR && status.st_uid == 0
    }
    if errno == ENOENT { return false }
    throw Errno.last("look at \(path)/\(Self.users)")
  }
}

/// The directory in which a path lies.
func parent(of path: String) -> String {
  String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
}
