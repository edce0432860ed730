import Glibc
import Testing

@testable import Systemd

/// The helper program beside this test's own.
enum Probe {
  static let path: String = {
    let own = CommandLine.arguments[0]
    return String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)]) + "/systemd-probe"
  }()

  /// Runs it to its end and returns what it printed; throws unless it exits with 0.
  static func run(_ arguments: [String], environment: [String: String]) throws -> String {
    try runProgram([path] + arguments, environment: environment)
  }

  /// The same by way of a shell, for what only the process itself knows (its own pid).
  static func run(script: String, environment: [String: String]) throws -> String {
    try runProgram(["/bin/sh", "-c", script, path], environment: environment)
  }
}

struct Started: ~Copyable {
  let pid: pid_t
  let output: FileDescriptor
}

/// Starts a program with standard output on a pipe.
func startProgram(
  _ arguments: [String], environment: [String: String]
) throws -> Started {
  var ends: [CInt] = [0, 0]
  try #require(openPair(&ends))
  let reader = FileDescriptor(owning: ends[0])
  let writer = FileDescriptor(owning: ends[1])
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_adddup2(&actions, writer.raw, 1)
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  let settings = environment.map { "\($0.key)=\($0.value)" } + ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
  var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { text in strdup(text) } + [nil]
  var envp: [UnsafeMutablePointer<CChar>?] = settings.map { text in strdup(text) } + [nil]
  defer { for text in argv + envp { free(text) } }
  var pid: pid_t = 0
  try #require(posix_spawnp(&pid, arguments[0], &actions, nil, &argv, &envp) == 0)
  return Started(pid: pid, output: reader)
}

private func runProgram(_ arguments: [String], environment: [String: String]) throws -> String {
  let started = try startProgram(arguments, environment: environment)
  let text = String(decoding: try started.output.readAll(limit: 65_536), as: UTF8.self)
  var status: CInt = 0
  while waitpid(started.pid, &status, 0) < 0 && errno == EINTR {}
  try #require(status == 0, "\(arguments) printed \(text)")
  return text
}

/// A message bus of the test's own. It ends with its owner.
final class BusDaemon: @unchecked Sendable {
  // @unchecked: one test at a time uses one of these.
  let scratch: Scratch
  private var pid: pid_t = 0

  var address: String { "unix:path=\(scratch.path)/bus" }

  init() throws {
    scratch = try Scratch()
    let settings = """
      <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
       "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
      <busconfig>
        <listen>\(address)</listen>
        <auth>EXTERNAL</auth>
        <policy context="default">
          <allow send_destination="*" eavesdrop="true"/>
          <allow eavesdrop="true"/>
          <allow own="*"/>
        </policy>
      </busconfig>
      """
    let file = try FileDescriptor.open("\(scratch.path)/bus.conf", O_WRONLY | O_CREAT, mode: 0o600)
    try file.writeAll(Array(settings.utf8))
    try start()
  }

  /// Returns once it listens.
  func start() throws {
    let started = try startProgram(
      [
        "dbus-daemon", "--nofork", "--nopidfile", "--print-address=1",
        "--config-file=\(scratch.path)/bus.conf",
      ],
      environment: [:])
    pid = started.pid
    var byte: UInt8 = 0
    // It prints its address when it is there, or ends.
    try #require(read(started.output.raw, &byte, 1) == 1, "dbus-daemon did not start")
  }

  /// As a crash would end it: the socket stays behind.
  func kill() {
    guard pid > 0 else { return }
    Glibc.kill(pid, SIGKILL)
    var status: CInt = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    pid = 0
  }

  deinit { kill() }

  /// A connection on the loop.
  @LoopActor func connect(_ description: String) throws -> Bus {
    try Bus.open(address, attachedTo: EventLoop.main, description: description)
  }
}

/// A datagram socket that stands in for systemd's or journald's.
struct DatagramSocket: ~Copyable {
  let descriptor: FileDescriptor

  init(at path: String) throws {
    descriptor = FileDescriptor(
      owning: socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0))
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8) + [0]) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor.raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(result == 0)
  }

  /// The next datagram and the descriptor that came with it.
  borrowing func receive() throws -> (bytes: [UInt8], passed: CInt?) {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var control = [UInt8](repeating: 0, count: 256)
    var received = 0
    var controlLength = 0
    buffer.withUnsafeMutableBytes { bytes in
      control.withUnsafeMutableBytes { ancillary in
        var vector = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
        withUnsafeMutablePointer(to: &vector) { vector in
          var message = msghdr()
          message.msg_iov = vector
          message.msg_iovlen = 1
          message.msg_control = ancillary.baseAddress
          message.msg_controllen = ancillary.count
          received = recvmsg(descriptor.raw, &message, CInt(MSG_CMSG_CLOEXEC))
          controlLength = Int(message.msg_controllen)
        }
      }
    }
    try #require(received >= 0)
    let passed: CInt? = control.withUnsafeBytes { bytes in
      // One cmsghdr: its length, SOL_SOCKET, SCM_RIGHTS, then the descriptor (cmsg(3)).
      guard controlLength >= 20, bytes.load(fromByteOffset: 8, as: CInt.self) == SOL_SOCKET,
        bytes.load(fromByteOffset: 12, as: CInt.self) == 1
      else { return nil }
      return bytes.load(fromByteOffset: 16, as: CInt.self)
    }
    return (Array(buffer[..<received]), passed)
  }

  borrowing func text() throws -> String { String(decoding: try receive().bytes, as: UTF8.self) }
}
