internal import CLinux
internal import Glibc

/// Signals and descriptors of a process, by its pidfd: a pid may be another process's by now.
public enum PIDFD {
  public static func open(_ pid: Int32) throws(Errno) -> FileDescriptor {
    let raw = linux_pidfd_open(pid, 0)
    guard raw >= 0 else { throw Errno.last("open process \(pid)") }
    return FileDescriptor(owning: raw)
  }

  /// Sends a signal; a process that has ended is no error.
  public static func send(_ signal: Int32, to pidfd: borrowing FileDescriptor) {
    _ = linux_pidfd_send_signal(pidfd.raw, signal)
  }

  /// A copy of a descriptor of the process (pidfd_getfd(2)).
  public static func descriptor(
    _ number: Int32, of pidfd: borrowing FileDescriptor
  ) throws(Errno) -> FileDescriptor {
    let raw = linux_pidfd_getfd(pidfd.raw, number, 0)
    guard raw >= 0 else { throw Errno.last("copy descriptor \(number)") }
    return FileDescriptor(owning: raw)
  }
}

/// How a child process ended.
public enum ProcessEnd: Equatable, Sendable {
  case exited(Int32)
  case killed(signal: Int32, dumpedCore: Bool)

  /// Takes the status of a child that has ended; nil while it runs, and when there is no such child.
  public init?(ofChild pid: Int32) {
    var code: CInt = 0
    var status: CInt = 0
    guard linux_wait_child(pid, &code, &status) == 0, code != 0 else { return nil }
    self =
      code == CInt(CLD_EXITED)
      ? .exited(status) : .killed(signal: status, dumpedCore: code == CInt(CLD_DUMPED))
  }
}

/// A program that this process started. Its end is not waited for when this value goes.
@frozen public struct ChildProcess: ~Copyable {
  public let pid: Int32
  public let pidfd: FileDescriptor

  /// Which session the program runs in.
  public enum Session: Sendable {
    /// A session of its own, so that no terminal's signals reach it.
    case own
    /// The caller's, so that it may use the terminal, as a pager does.
    case callers
  }

  /// Starts a program with exactly these descriptors, without a shell.
  /// - Parameters:
  ///   - program: a path, or a name that is searched for in PATH.
  ///   - arguments: the first is the program's own name.
  ///   - environment: `NAME=value` each; nil passes on the caller's.
  ///   - descriptors: the n-th becomes the child's descriptor n; -1 leaves it closed.
  public init(
    _ program: String, _ arguments: [String], environment: [String]?, descriptors: [CInt],
    session: Session = .own
  ) throws(Errno) {
    var raised: [CInt] = []
    defer { for copy in raised { close(copy) } }
    var sources: [CInt] = []
    for (target, source) in descriptors.enumerated() {
      // In the child, dup2(2) must not overwrite a descriptor that a later dup2 needs.
      if source >= 0 && source < descriptors.count && source != target {
        let copy = try FileDescriptor.duplicate(source, atLeast: CInt(descriptors.count)).release()
        raised.append(copy)
        sources.append(copy)
      } else {
        sources.append(source)
      }
    }
    var argv = Self.copies(arguments)
    var envp = Self.copies(environment ?? [])
    defer { for text in argv + envp { free(text) } }
    var pid: CInt = 0
    let error = envp.withUnsafeMutableBufferPointer { envp in
      linux_spawn(
        &pid, program, &argv, environment == nil ? nil : envp.baseAddress, sources, CInt(sources.count),
        session == .own ? 1 : 0)
    }
    if error != 0 { throw Errno(error, "start \(program)") }
    do throws(Errno) {
      pidfd = try PIDFD.open(pid)
    } catch {
      // It has had no time to do anything, so its end is a matter of moments.
      kill(pid, SIGKILL)
      waitpid(pid, nil, 0)
      throw error
    }
    self.pid = pid
  }

  public borrowing func send(_ signal: Int32) { PIDFD.send(signal, to: pidfd) }

  /// Kills it and waits for its end, which is a matter of moments.
  public consuming func discard() {
    send(SIGKILL)
    waitpid(pid, nil, 0)
  }

  /// Blocks until it ends; nil when somebody else has taken its status.
  public borrowing func wait() -> ProcessEnd? {
    var status: CInt = 0
    while waitpid(pid, &status, 0) < 0 {
      if errno != EINTR { return nil }
    }
    let signal = status & 0x7F
    return signal == 0
      ? .exited((status >> 8) & 0xFF) : .killed(signal: signal, dumpedCore: status & 0x80 != 0)
  }

  private static func copies(_ words: [String]) -> [UnsafeMutablePointer<CChar>?] {
    words.map { strdup($0) } + [nil]
  }
}
