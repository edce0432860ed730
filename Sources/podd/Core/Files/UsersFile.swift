import Glibc
import Mustache
import PodAPI
import PodModel
import PodStore
import Systemd

/// A pod's users file: who may use it, with which token, and where their data lies.
enum UsersFile {
  static let runtime = "/run/podctl/pods"

  static func directory(of pod: PodName) -> String { "\(runtime)/\(pod)" }
  static func path(of pod: PodName) -> String { "\(runtime)/\(pod)/users" }

  enum Failure: Error, CustomStringConvertible {
    case io(Errno)
    case template(path: String, String)
    /// The file is written, but the running program has not read it.
    case notDelivered(String)

    var description: String {
      switch self {
      case .io(let error): error.description
      case .template(let path, let why): "\(path): \(why); fix the template that UsersTemplate= names"
      case .notDelivered(let why): "its program does not know of the change: \(why)"
      }
    }
  }

  /// Replaces the file. Only the pod and root can read it.
  ///
  /// - Parameter directory: where the data of each of the users lies.
  static func write(
    _ users: [UserRecord], of pod: PodRecord, dataMax: UInt64?, template: String?,
    directory: (UserName) -> String
  ) throws(Failure) {
    let entries = users.filter { $0.status == .active }.compactMap { user in
      user.token.map { Entry(user: user.name, token: $0, directory: directory(user.name)) }
    }
    let content = if let template { try render(entries, template) } else { json(entries, dataMax) }
    do throws(Errno) {
      try ensureDirectory(of: pod.name)
      DeliveredUsers(of: pod.name).prepare(users)
      try Files.replace(path(of: pod.name), with: content, mode: 0o600, owner: pod.uid)
    } catch {
      throw .io(error)
    }
  }

  /// The directory is part of the pod's view, so it must exist before the view is made.
  static func ensureDirectory(of pod: PodName) throws(Errno) {
    try Files.makeDirectory(runtime, mode: 0o755)
    try Files.makeDirectory(directory(of: pod), mode: 0o755)
  }

  private struct Entry {
    let user: UserName
    let token: String
    let directory: String
  }

  private static func json(_ entries: [Entry], _ dataMax: UInt64?) -> String {
    let users = entries.map { entry in
      JSON.object([
        ("user", .string(entry.user.text)), ("token", .string(entry.token)),
        ("directory", .string(entry.directory)), ("data_max", .optional(dataMax)),
      ])
    }
    return JSON.object([("users", .array(users))]).text + "\n"
  }

  private static func render(_ entries: [Entry], _ path: String) throws(Failure) -> String {
    guard let file = try? FileDescriptor.open(path, O_RDONLY), let bytes = try? file.readAll(limit: 1 << 20)
    else { throw .template(path: path, "cannot be read: \(Errno.last().text)") }
    do {
      let template = try MustacheTemplate(string: String(decoding: bytes, as: UTF8.self))
      let users = entries.enumerated().map { index, entry -> [String: Any] in
        [
          "user": entry.user.text, "token": entry.token, "directory": entry.directory,
          "last": index == entries.count - 1,
        ]
      }
      return template.render(["users": users])
    } catch {
      throw .template(path: path, "is no Mustache template: \(error)")
    }
  }
}
