internal import Glibc

/// What uname(2) knows of this host.
public enum Host {
  /// The host's name, as `hostname` prints it.
  public static var name: String {
    var names = utsname()
    uname(&names)
    return withUnsafeBytes(of: names.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
