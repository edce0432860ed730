import CLinux
import Glibc
import PodModel
import Systemd

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

  private init(pid: pid_t, pidfd: consuming FileDescriptor, control: consuming FileDescriptor) {
    self.pid = pid
    self.pidfd = pidfd
    self.control = control
  }

  /// Spawns pod-launch, which at once prepares all that does not need the pod's cgroup.
  static func spawn(
    _ path: String, plan: LaunchPlan, listening: CInt?
  ) throws(LaunchFailure) -> LaunchProcess {
    do throws(Errno) {
      var pair: [CInt] = [-1, -1]
      guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &pair) == 0
      else {
        throw Errno.last("socketpair")
      }
      let control = FileDescriptor(owning: pair[0])
      let childEnd = try raised(FileDescriptor(owning: pair[1]))
      let null = try raised(FileDescriptor.open("/dev/null", O_RDWR))
      // The listening socket stays podd's: the child gets a copy above the range it is moved into.
      let socket: CInt = listening.map { fcntl($0, F_DUPFD_CLOEXEC, firstFreeDescriptor) } ?? -1
      if listening != nil && socket < 0 { throw Errno.last("duplicate listening socket") }
      defer { if socket >= 0 { close(socket) } }
      let descriptors = [null.raw, null.raw, null.raw, childEnd.raw, socket]

      var pid: pid_t = 0
      let name = strdup("pod-launch")
      defer { free(name) }
      var arguments: [UnsafeMutablePointer<CChar>?] = [name, nil]
      var environment: [UnsafeMutablePointer<CChar>?] = [nil]
      let error = linux_spawn(
        &pid, path, &arguments, &environment, descriptors, CInt(descriptors.count))
      if error != 0 { throw Errno(error, "spawn \(path)") }
      let pidfd = linux_pidfd_open(pid, 0)
      guard pidfd >= 0 else {
        let failure = Errno.last("pidfd_open")
        discard(pid)
        throw failure
      }
      let process = LaunchProcess(
        pid: pid, pidfd: FileDescriptor(owning: pidfd), control: control)
      do throws(Errno) {
        try process.control.writeAll(plan.encode())
      } catch {
        discard(pid)
        throw error
      }
      _ = fcntl(process.control.raw, F_SETFL, O_NONBLOCK)
      return process
    } catch {
      throw LaunchFailure(stage: .spawn, error)
    }
  }

  /// It has done nothing yet, so it ends within moments.
  private static func discard(_ pid: pid_t) {
    kill(pid, SIGKILL)
    waitpid(pid, nil, 0)
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
    _ = linux_pidfd_send_signal(pidfd.raw, SIGKILL)
  }

  /// Returns when the program runs, or throws why it does not. `timeoutUSec` bounds a pod-launch that hangs.
  func waitForProgram(timeoutUSec: UInt64) async throws(LaunchFailure) {
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
          descriptor: control.raw, events: PollEvents.input, timeoutUSec: timeoutUSec)
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

  /// Above every descriptor number that the child is given.
  private static let firstFreeDescriptor: CInt = 16

  static func raised(_ descriptor: consuming FileDescriptor) throws(Errno) -> FileDescriptor {
    if descriptor.raw >= firstFreeDescriptor { return descriptor }
    let copy = fcntl(descriptor.raw, F_DUPFD_CLOEXEC, firstFreeDescriptor)
    guard copy >= 0 else { throw Errno.last("duplicate descriptor") }
    return FileDescriptor(owning: copy)
  }
}
