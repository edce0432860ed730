/// A pod's user and group as JSON records, so that its uid has a name on the host and in the pod where
/// nss-systemd(8) is installed (facts 14a; fields: systemd, "JSON User Records").
public struct UserDatabaseRecord: Sendable, Equatable {
  /// The directory in which nss-systemd finds records that last until the next boot.
  public static let directory = "/run/userdb"

  public let pod: PodName
  /// The id of the user, and of the group of the same name.
  public let uid: UInt32

  public init(pod: PodName, uid: UInt32) {
    self.pod = pod
    self.uid = uid
  }

  /// The user record. Nobody can log in as a pod: it is locked, without a password or a shell.
  public var user: String {
    record([
      ("userName", Self.text(pod.description)),
      ("realName", Self.text("podctl pod \(pod.number)")),
      ("uid", String(uid)),
      ("gid", String(uid)),
      ("homeDirectory", Self.text("/var/lib/podctl/pods/\(pod)")),
      ("shell", Self.text("/usr/sbin/nologin")),
      ("locked", "true"),
    ])
  }

  /// The group record.
  public var group: String {
    record([("groupName", Self.text(pod.description)), ("gid", String(uid))])
  }

  /// The files in `directory`, by name.
  public var files: [(name: String, content: String)] {
    [("\(pod).user", user), ("\(pod).group", group)]
  }

  /// The symbolic links in `directory`, by name: lookups by number.
  public var links: [(name: String, content: String)] {
    [("\(uid).user", "\(pod).user"), ("\(uid).group", "\(pod).group")]
  }

  var launchOperations: [LaunchPlan.Operation] {
    files.map { .file(mode: 0o644, path: "\(Self.directory)/\($0.name)", content: $0.content) }
      + links.map { .symlink(content: $0.content, path: "\(Self.directory)/\($0.name)") }
  }

  /// systemd's word for users that exist only while their service does is `dynamic`.
  private func record(_ fields: [(String, String)]) -> String {
    let all = fields + [("disposition", Self.text("dynamic")), ("service", Self.text("org.podctl1"))]
    return "{" + all.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}\n"
  }

  /// Pod names and our own words need no escaping.
  private static func text(_ value: String) -> String { "\"\(value)\"" }
}
