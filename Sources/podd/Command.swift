import CLinux
import Glibc
import Systemd

/// A helper program, run to its end with nothing on its standard streams.
@LoopActor
enum Command {
  /// The exit status; nil when it could not be run, was killed, or took too long.
  static func run(_ path: String, _ arguments: [String], timeoutUSec: UInt64) async -> Int32? {
    guard let null = try? FileDescriptor.open("/dev/null", O_RDWR) else { return nil }
    let high = fcntl(null.raw, F_DUPFD_CLOEXEC, CInt(16))
    guard high >= 0 else { return nil }
    let raised = FileDescriptor(owning: high)
    let copies = arguments.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    var argv: [UnsafeMutablePointer<CChar>?] = copies + [nil]
    let environment = strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin")
    defer { free(environment) }
    var envp: [UnsafeMutablePointer<CChar>?] = [environment, nil]
    var pid: pid_t = 0
    guard linux_spawn(&pid, path, &argv, &envp, [raised.raw, raised.raw, raised.raw], 3) == 0 else {
      return nil
    }
    let pidfd = linux_pidfd_open(pid, 0)
    guard pidfd >= 0 else { return nil }
    let process = FileDescriptor(owning: pidfd)
    let events = await EventLoop.main.wait(
      descriptor: process.raw, events: PollEvents.input, timeoutUSec: timeoutUSec)
    if events == 0 {
      _ = linux_pidfd_send_signal(process.raw, SIGKILL)
      _ = await EventLoop.main.wait(
        descriptor: process.raw, events: PollEvents.input, timeoutUSec: 1_000_000)
    }
    var code: CInt = 0
    var status: CInt = 0
    guard linux_wait_child(pid, &code, &status) == 0, code == CInt(CLD_EXITED) else { return nil }
    return status
  }
}
