import CLinux
import Glibc
import Systemd

/// A helper program, run to its end with nothing to read and nobody to complain to.
@LoopActor
enum Command {
  private struct Child: ~Copyable {
    let pid: pid_t
    let pidfd: FileDescriptor
  }

  /// The exit status; nil when it could not be run, was killed, or took too long.
  static func run(_ path: String, _ arguments: [String], timeoutUSec: UInt64) async -> Int32? {
    let deadline = EventLoop.main.now() + timeoutUSec
    guard let null = try? FileDescriptor.open("/dev/null", O_RDWR),
      let child = start(path, arguments, output: null)
    else { return nil }
    return await end(of: child, by: deadline)
  }

  /// The end of what it wrote to its standard output, at most `limit` bytes; nil when it failed in any way.
  static func output(
    of path: String, _ arguments: [String], limit: Int, timeoutUSec: UInt64
  ) async -> [UInt8]? {
    let deadline = EventLoop.main.now() + timeoutUSec
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    // Not pipe2(2), which Swift's Glibc hides: children are started by this thread alone, and get exactly
    // the descriptors that they are given.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    let ours = FileDescriptor(owning: ends[0])
    let theirs = FileDescriptor(owning: ends[1])
    guard let child = start(path, arguments, output: theirs) else { return nil }
    let written = await tail(of: ours, limit: limit, by: deadline)
    return await end(of: child, by: deadline) == 0 ? written : nil
  }

  private static func tail(
    of pipe: borrowing FileDescriptor, limit: Int, by deadline: UInt64
  ) async -> [UInt8] {
    var written: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while true {
      let got = chunk.withUnsafeMutableBytes { read(pipe.raw, $0.baseAddress, $0.count) }
      if got > 0 {
        written += chunk[0..<got]
        if written.count > limit { written.removeFirst(written.count - limit) }
      } else if got < 0 && errno == EAGAIN {
        let now = EventLoop.main.now()
        guard now < deadline else { return [] }
        _ = await EventLoop.main.wait(
          descriptor: pipe.raw, events: PollEvents.input, timeoutUSec: deadline - now)
      } else if got == 0 || errno != EINTR {
        return written
      }
    }
  }

  private static func start(
    _ path: String, _ arguments: [String], output: consuming FileDescriptor
  ) -> Child? {
    guard let null = try? LaunchProcess.raised(FileDescriptor.open("/dev/null", O_RDWR)),
      let output = try? LaunchProcess.raised(output)
    else { return nil }
    let copies = arguments.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    var argv: [UnsafeMutablePointer<CChar>?] = copies + [nil]
    let environment = strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin")
    defer { free(environment) }
    var envp: [UnsafeMutablePointer<CChar>?] = [environment, nil]
    var pid: pid_t = 0
    guard linux_spawn(&pid, path, &argv, &envp, [null.raw, output.raw, null.raw], 3) == 0 else { return nil }
    let pidfd = linux_pidfd_open(pid, 0)
    guard pidfd >= 0 else {
      kill(pid, SIGKILL)
      return nil
    }
    return Child(pid: pid, pidfd: FileDescriptor(owning: pidfd))
  }

  private static func end(of child: borrowing Child, by deadline: UInt64) async -> Int32? {
    let now = EventLoop.main.now()
    let events = await EventLoop.main.wait(
      descriptor: child.pidfd.raw, events: PollEvents.input, timeoutUSec: deadline > now ? deadline - now : 0)
    if events == 0 {
      _ = linux_pidfd_send_signal(child.pidfd.raw, SIGKILL)
      _ = await EventLoop.main.wait(
        descriptor: child.pidfd.raw, events: PollEvents.input, timeoutUSec: 1_000_000)
    }
    var code: CInt = 0
    var status: CInt = 0
    guard linux_wait_child(child.pid, &code, &status) == 0, code == CInt(CLD_EXITED) else { return nil }
    return status
  }
}
