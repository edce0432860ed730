import CLinux
import Glibc
import Linux
import LoopThread
import Systemd
import Testing

@testable import PoddCore

/// A real socket, and senders that are processes of their own.
@Suite(.timeLimit(.minutes(10))) struct NotifySocketTests {
  /// A directory of its own for one test.
  private final class Scratch: Sendable {
    let path: String

    init() throws {
      var template = Array("/tmp/notify-test-XXXXXX".utf8CString)
      path = try #require(
        template.withUnsafeMutableBufferPointer { buffer in
          buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        })
    }

    var place: NotifySocket.Place {
      NotifySocket.Place(
        closed: path + "/private", directory: path + "/private/notify", former: path + "/notify")
    }

    deinit {
      unlink(path + "/private/notify/socket")
      for directory in ["/private/notify", "/private", "/notify", ""] { rmdir(path + directory) }
    }
  }

  /// Runs Python code, which has the socket's path in `path`, and returns the process's pid.
  private static func send(_ code: String, to scratch: Scratch) throws -> pid_t {
    let child = try ChildProcess(
      "python3",
      [
        "python3", "-c", "import array, os, socket, struct, sys\npath = sys.argv[1]\n" + code,
        scratch.place.socket,
      ],
      environment: nil, descriptors: [0, 1, 2])
    #expect(child.wait() == .exited(0))
    return child.pid
  }

  private static let ready =
    "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'A=1\\nREADY=1\\n', path)\n"

  @Test func aProcessThatSaysReadyIsReportedWithItsUidAndPid() async throws {
    let scratch = try Scratch()
    try await onLoop {
      let heard = Mailbox<NotifySocket.Ready>()
      let socket = try NotifySocket(at: scratch.place) { heard.put($0) }
      let pid = try await BackgroundThread.run { () throws(Errno) in
        (try? Self.send(
          "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=10\\nXREADY=1', path)\n"
            + Self.ready,
          to: scratch)) ?? 0
      }
      #expect(await heard.next() == NotifySocket.Ready(uid: getuid(), pid: pid))
      #expect(heard.pending.isEmpty)
      withExtendedLifetime(socket) {}
    }
  }

  /// The last close of such a socket waits for an hour; whoever receives the descriptor closes it last.
  @Test func descriptorsWhoseCloseWaitsHoldNobodyUp() async throws {
    let scratch = try Scratch()
    try await onLoop {
      let heard = Mailbox<NotifySocket.Ready>()
      let socket = try NotifySocket(at: scratch.place, refusesDescriptors: false) { heard.put($0) }
      // The loop waits for the sender's end. Otherwise the sender could be the last to close, and would wait itself.
      let pid = try Self.send(
        """
        listener = socket.create_server(("127.0.0.1", 0))
        # Nobody reads what is sent, also after this process has ended: the other end stays in the message's queue.
        reader = socket.create_connection(listener.getsockname())
        if os.fork() == 0:
            # Keeps the reading end open until the test is over.
            os.setsid()
            os.closerange(0, 3)
            import time
            while os.path.exists(path): time.sleep(0.1)
            os._exit(0)
        writer = listener.accept()[0]
        writer.setblocking(False)
        writer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
        try:
            while True: writer.send(b"x" * 65536)
        except BlockingIOError: pass
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        for _ in range(5):
            sender.sendmsg([b"READY=0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer.fileno()]))],
                           0, path)
        writer.close()

        """ + Self.ready, to: scratch)
      // While one thread closes, the loop goes on.
      #expect(await heard.next() == NotifySocket.Ready(uid: getuid(), pid: pid))
      withExtendedLifetime(socket) {}
    }
  }

  @Test func noDescriptorOfASenderIsEverInThisProcess() async throws {
    let scratch = try Scratch()
    try await onLoop {
      let heard = Mailbox<NotifySocket.Ready>()
      let socket = try NotifySocket(at: scratch.place, refusesDescriptors: false) { heard.put($0) }
      _ = try await BackgroundThread.run { () throws(Errno) in
        try? Self.send(
          """
          ends = os.pipe()
          sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
          sender.sendmsg([b"READY=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [ends[1]] * 200))], 0, path)
          os.close(ends[1])
          # The end of the pipe is reported when nobody has its writing end any more.
          assert os.read(ends[0], 1) == b""

          """, to: scratch)
      }
      _ = await heard.next()
      withExtendedLifetime(socket) {}
    }
  }

  @Test func strangersCannotReachItAndPodsOfAnEarlierPoddCan() async throws {
    let scratch = try Scratch()
    try Files.makeDirectory(scratch.place.former, mode: 0o755)
    // As a running pod has it: the directory itself, wherever its name leads.
    let bound = try FileDescriptor.open(scratch.place.former, O_RDONLY | O_DIRECTORY)
    let path = "/proc/\(getpid())/fd/\(bound.raw)/socket"
    try await onLoop {
      let heard = Mailbox<NotifySocket.Ready>()
      let socket = try NotifySocket(at: scratch.place) { heard.put($0) }
      #expect(!Files.exists(scratch.place.former))
      var status = stat()
      #expect(stat(scratch.place.closed, &status) == 0)
      #expect(status.st_mode & 0o7777 == 0o700)
      #expect(linux_notify(path, "READY=1", 7) == 0)
      #expect(await heard.next() == NotifySocket.Ready(uid: getuid(), pid: getpid()))
      withExtendedLifetime(socket) {}
    }
    withExtendedLifetime(bound) {}
  }
}
