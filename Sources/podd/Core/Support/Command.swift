import Glibc
import Linux
import Systemd
import Time

/// Runs a helper program to its end. The program gets no input, and its error output is discarded.
@LoopActor
enum Command {
  private static let environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]

  /// The exit status; nil when it could not be run, was killed, or took too long.
  static func run(_ path: String, _ arguments: [String], timeout: Microseconds) async -> Int32? {
    let deadline = EventLoop.main.now() + timeout
    guard let null = try? FileDescriptor.open("/dev/null", O_RDWR),
      let child = try? ChildProcess(
        path, arguments, environment: environment, descriptors: [null.raw, null.raw, null.raw])
    else { return nil }
    return await end(of: child, by: deadline)
  }

  /// The last `limit` bytes that it wrote to its standard output; nil when it failed in any way.
  ///
  /// - Parameter accepting: the exit statuses that are no failure.
  static func output(
    of path: String, _ arguments: [String], limit: Int, timeout: Microseconds, accepting: Set<Int32> = [0]
  ) async -> [UInt8]? {
    let deadline = EventLoop.main.now() + timeout
    guard let null = try? FileDescriptor.open("/dev/null", O_RDWR), let pipe = try? Pipe() else { return nil }
    let reader = pipe.reader
    let writer = pipe.writer
    _ = fcntl(reader.raw, F_SETFL, O_NONBLOCK)
    guard
      let child = try? ChildProcess(
        path, arguments, environment: environment, descriptors: [null.raw, writer.raw, null.raw])
    else { return nil }
    close(writer.release())
    let written = await tail(of: reader, limit: limit, by: deadline)
    guard let status = await end(of: child, by: deadline), accepting.contains(status) else { return nil }
    return written
  }

  private static func tail(
    of pipe: borrowing FileDescriptor, limit: Int, by deadline: LoopTime
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
          descriptor: pipe.raw, events: PollEvents.input, timeout: deadline - now)
      } else if got == 0 || errno != EINTR {
        return written
      }
    }
  }

  private static func end(of child: borrowing ChildProcess, by deadline: LoopTime) async -> Int32? {
    let now = EventLoop.main.now()
    let events = await EventLoop.main.wait(
      descriptor: child.pidfd.raw, events: PollEvents.input, timeout: deadline - now)
    guard events != 0 else {
      child.send(SIGKILL)
      await Reaper.end(of: child.pid, pidfd: child.pidfd, patience: .seconds(1))
      return nil
    }
    guard case .exited(let status) = ProcessEnd(ofChild: child.pid) else { return nil }
    return status
  }
}
