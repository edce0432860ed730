/// podd's instructions to pod-launch, in order (docs/architecture.md, "pod-launch: the protocol").
public struct LaunchPlan: Sendable, Equatable {
  /// One operation. Paths are absolute, without `.`, `..`, doubled or trailing slashes.
  public enum Operation: Sendable, Equatable {
    /// The cgroup that `/proc/self/cgroup` must name after the release.
    case cgroup(String)
    /// The syslog identifier of the pod's journal stream.
    case ident(String)
    case uid(UInt32)
    /// `options` as for tmpfs(5), with `noexec` for the mount.
    case tmpfs(path: String, mode: UInt16, options: String)
    case bind(BindFlags, source: String, target: String)
    case dev(String)
    case proc(String)
    case cgroupfs(String)
    case symlink(content: String, path: String)
    case file(mode: UInt16, path: String, content: String)
    case readonly(String)
    /// `names` is the value of LISTEN_FDNAMES: names separated by colons.
    case listen(count: Int, names: String)
    case nofile(UInt32)
    case chdir(String)
    /// `KEY=VALUE`
    case env(String)
    case arg(String)
  }

  /// How a directory or file of the host appears in the pod; always nosuid and nodev.
  public struct BindFlags: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Without this flag the mount is read-only.
    public static let writable = Self(rawValue: 1)
    /// A missing source is no error.
    public static let optional = Self(rawValue: 2)
    /// Includes the mounts below the source.
    public static let recursive = Self(rawValue: 4)
    /// Without this flag the mount is noexec.
    public static let exec = Self(rawValue: 8)

    var words: String {
      let extra: [(Self, String)] = [(.optional, "optional"), (.recursive, "recursive"), (.exec, "exec")]
      let first = contains(.writable) ? "rw" : "ro"
      return ([first] + extra.filter { contains($0.0) }.map(\.1)).joined(separator: ",")
    }
  }

  public var operations: [Operation]

  public init(_ operations: [Operation]) {
    self.operations = operations
  }

  /// The bytes for the control socket: the length as a little-endian `u32`, then NUL-terminated strings.
  /// pod-launch refuses more than a mebibyte (`plan E2BIG`). A string is cut at its first NUL, so that no value
  /// can add an operation.
  public func encode() -> [UInt8] {
    var body: [UInt8] = []
    for operation in operations {
      for word in operation.words {
        body += word.utf8.prefix { $0 != 0 }
        body.append(0)
      }
    }
    return withUnsafeBytes(of: UInt32(body.count).littleEndian) { Array($0) } + body
  }
}

extension LaunchPlan.Operation {
  /// The operation's name and its arguments.
  var words: [String] {
    switch self {
    case .cgroup(let path): ["cgroup", path]
    case .ident(let name): ["ident", name]
    case .uid(let number): ["uid", String(number)]
    case .tmpfs(let path, let mode, let options): ["tmpfs", path, String(mode, radix: 8), options]
    case .bind(let flags, let source, let target): ["bind", flags.words, source, target]
    case .dev(let path): ["dev", path]
    case .proc(let path): ["proc", path]
    case .cgroupfs(let path): ["cgroupfs", path]
    case .symlink(let content, let path): ["symlink", content, path]
    case .file(let mode, let path, let content): ["file", String(mode, radix: 8), path, content]
    case .readonly(let path): ["readonly", path]
    case .listen(let count, let names): ["listen", String(count), names]
    case .nofile(let number): ["nofile", String(number)]
    case .chdir(let path): ["chdir", path]
    case .env(let assignment): ["env", assignment]
    case .arg(let text): ["arg", text]
    }
  }
}
