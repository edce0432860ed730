import Glibc
import Linux

/// Distinguishes a process from a later one with the same PID (facts 11).
enum ProcessIdentity {
  /// This boot (random(4)).
  static let bootID: String = {
    let text = readSmallFile("/proc/sys/kernel/random/boot_id") ?? ""
    return text.filter { $0 != "\n" }
  }()

  /// Start time in clock ticks since boot: field 22 of /proc/PID/stat; nil when the process is gone.
  static func startTicks(of pid: pid_t) -> UInt64? { statField(22, of: pid) }

  /// The process that began then; nil when it is gone, also when another has its pid by now.
  static func open(_ pid: pid_t, startTicks ticks: UInt64) -> FileDescriptor? {
    guard let pidfd = try? PIDFD.open(pid), startTicks(of: pid) == ticks else { return nil }
    return pidfd
  }

  static func parent(of pid: pid_t) -> pid_t? { statField(4, of: pid).map { pid_t(truncatingIfNeeded: $0) } }

  /// The user as whom it runs (proc(5)); nil when it is gone.
  static func owner(of pid: pid_t) -> uid_t? {
    var status = stat()
    return stat("/proc/\(pid)", &status) == 0 ? status.st_uid : nil
  }

  /// Its cgroup v2 path; nil when the process is gone.
  static func cgroup(of pid: pid_t) -> String? {
    guard let text = readSmallFile("/proc/\(pid)/cgroup") else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix("0::") { return String(line.dropFirst(3)) }
    return nil
  }

  /// Whether it has ended and its parent has not taken its status.
  static func isZombie(_ pid: pid_t) -> Bool {
    guard let text = readSmallFile("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else {
      return true
    }
    return text[end...].dropFirst().first { $0 != " " } == "Z"
  }

  /// Fields are counted from 1; the second, the name in parentheses, may itself hold blanks.
  private static func statField(_ number: Int, of pid: pid_t) -> UInt64? {
    guard let text = readSmallFile("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    return fields.count > number - 3 ? UInt64(fields[number - 3]) : nil
  }
}
