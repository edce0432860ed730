internal import CLinux
internal import Glibc
internal import PodModel

/// The users of the host, as its own files have them: the package's users are there, and a name service may take its time.
struct Accounts {
  private let users: [Substring]
  private let groups: [Substring]

  init(_ tree: Tree) {
    users = Self.lines(tree, "etc/passwd")
    groups = Self.lines(tree, "etc/group")
  }

  private static func lines(_ tree: Tree, _ path: String) -> [Substring] {
    guard case .bytes(let content) = tree.content(path, limit: 4 << 20) else { return [] }
    return String(decoding: content, as: UTF8.self).split(separator: "\n")
  }

  func account(named name: String) -> Account? {
    for line in users {
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      guard fields.count > 3, fields[0] == name, let uid = UInt32(fields[2]), let gid = UInt32(fields[3])
      else { continue }
      return Account(uid: uid, groups: [gid] + supplementary(name))
    }
    return nil
  }

  private func supplementary(_ name: String) -> [UInt32] {
    groups.compactMap { line in
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      guard fields.count > 3, fields[3].split(separator: ",").contains(where: { $0 == name }) else {
        return nil
      }
      return UInt32(fields[2])
    }
  }
}

/// Who may do what with a file.
struct Account {
  let uid: UInt32
  let groups: [UInt32]

  /// nobody: no file is meant for it.
  static let stranger = Account(uid: 65_534, groups: [65_534])

  /// - Parameter bit: 4 to read, 1 to enter a directory.
  fileprivate func may(_ bit: UInt32, _ status: stat) -> Bool {
    if uid == 0 { return true }
    let shift: UInt32 = uid == status.st_uid ? 6 : groups.contains(status.st_gid) ? 3 : 0
    return status.st_mode >> shift & bit != 0
  }
}

extension Tree {
  enum Rights: Equatable {
    case granted
    /// By the permissions of the file, or of a directory above it.
    case refused(by: String)
    /// The caller may not look, there is no such file, or an access control list decides.
    case unknown
  }

  /// Whether an account may read a file. Links are followed, as open(2) does.
  func rights(to path: String, for account: Account) -> Rights {
    guard let real = real(path) else { return .unknown }
    var seen = ""
    let parts = real.split(separator: "/")
    for (index, part) in parts.enumerated() {
      let isLast = index == parts.count - 1
      seen += "/\(part)"
      guard let status = Self.permissions(root + seen) else { return .unknown }
      if !account.may(isLast ? 4 : 1, status) { return .refused(by: isLast ? path : seen) }
    }
    return .granted
  }

  /// Nil where the caller may not look, or an access control list says more than the mode.
  private static func permissions(_ path: String) -> stat? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, linux_fgetxattr(file, "system.posix_acl_access", nil, 0) < 0 else {
      return nil
    }
    return status
  }

  /// A file's path without links, below the root.
  private func real(_ path: String) -> String? {
    guard let whole = realpath(root + path, nil) else { return nil }
    defer { free(whole) }
    let text = String(cString: whole)
    return root.isEmpty ? text : text.hasPrefix(root) ? String(text.dropFirst(root.count)) : nil
  }
}
