import Glibc
import Linux
import PodModel
import Systemd
import Time

extension LaunchFailure {
  init(stage: LaunchStage, _ errno: Errno) {
    self.init(stage: stage, error: ErrnoName(rawValue: errno.name))
  }
}

/// A spawned pod-launch, parked until it is released (docs/architecture.md, "pod-launch: the protocol").
@LoopActor
final class LaunchProcess {
  let pid: pid_t
  let pidfd: FileDescriptor
  private let control: FileDescriptor

  private init(_ child: consuming ChildProcess, control: consuming FileDescriptor) {
    pid = child.pid
    pidfd = child.pidfd
    self.control = control
  }

  /// Spawns pod-launch, which at once prepares all that does not need the pod's cgroup.
  static func spawn(
    _ program: LaunchProgram, plan: LaunchPlan, listening: CInt?
  ) throws(LaunchFailure) -> LaunchProcess {
    do throws(Errno) {
      var pair: [CInt] = [-1, -1]
      guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &pair) == 0
      else {
        throw Errno.last("socketpair")
      }
      let control = FileDescriptor(owning: pair[0])
      let childEnd = FileDescriptor(owning: pair[1])
      let null = try FileDescriptor.open("/dev/null", O_RDWR)
      // The last one is the program itself; pod-launch closes what it does not expect.
      let descriptors = [
        null.raw, null.raw, null.raw, childEnd.raw, listening ?? -1, try program.descriptor(),
      ]
      let child = try ChildProcess(
        "/proc/self/fd/\(descriptors.count - 1)", ["pod-launch"], environment: [], descriptors: descriptors)
      do throws(Errno) {
        try control.writeAll(plan.encode())
      } catch {
        child.discard()
        throw error
      }
      _ = fcntl(control.raw, F_SETFL, O_NONBLOCK)
      return LaunchProcess(child, control: control)
    } catch {
      throw LaunchFailure(stage: .spawn, error)
    }
  }

  /// Lets the program begin: its scope is up.
  func release() throws(LaunchFailure) {
    do throws(Errno) {
      try control.writeAll([UInt8(ascii: "G")])
    } catch {
      throw LaunchFailure(stage: .release, error)
    }
  }

  /// Ends a launch that will not be released.
  func cancel() {
    PIDFD.send(SIGKILL, to: pidfd)
  }

  /// Returns when the program runs, or throws why it does not. `timeout` bounds a pod-launch that hangs.
  func waitForProgram(timeout: Microseconds) async throws(LaunchFailure) {
    var message: [UInt8] = []
    while true {
      var chunk = [UInt8](repeating: 0, count: 256)
      let got = chunk.withUnsafeMutableBytes { read(control.raw, $0.baseAddress, $0.count) }
      if got > 0 {
        message += chunk[0..<got]
        guard message.count < 1024 else { throw LaunchFailure(stage: .release, error: "EPROTO") }
      } else if got == 0 {
        break
      } else if errno == EAGAIN {
        let events = await EventLoop.main.wait(
          descriptor: control.raw, events: PollEvents.input, timeout: timeout)
        if events == 0 { throw LaunchFailure(stage: .release, error: "ETIMEDOUT") }
      } else if errno != EINTR {
        throw LaunchFailure(stage: .release, Errno.last())
      }
    }
    guard !message.isEmpty else { return }
    let words = String(decoding: message, as: UTF8.self).split(whereSeparator: \.isWhitespace)
    guard words.count == 2, let stage = LaunchStage(rawValue: String(words[0])) else {
      throw LaunchFailure(stage: .release, error: "EPROTO")
    }
    throw LaunchFailure(stage: stage, error: ErrnoName(rawValue: String(words[1])))
  }
}
