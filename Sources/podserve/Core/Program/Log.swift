internal import Glibc

/// sd-daemon(3)'s line prefixes.
public enum LogPriority: Int, Sendable {
  case error = 3
  case warning = 4
  case info = 6
}

/// One line on standard error, which is the pod's journal stream. Never give it a token.
public func log(_ priority: LogPriority, _ message: String) {
  let line = Array("<\(priority.rawValue)>\(message)\n".utf8)
  _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
