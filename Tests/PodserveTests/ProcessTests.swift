import Glibc
import Testing

@testable import PodserveCore

/// The built program beside this test's own, started as podd starts it: socket passed, notify socket given.
private final class Podserve {
  static let path: String = {
    let own = CommandLine.arguments[0]
    return String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)]) + "/podserve"
  }()

  let directory: String
  let listener: Int32
  private let notify: Int32
  private let errors: Int32
  private var process: pid_t = 0

  /// - Parameter previous: The generation whose listening socket this one goes on with.
  init(users: String, after previous: Podserve? = nil) throws {
    var template = Array("/tmp/podserve-process.XXXXXX".utf8CString)
    directory = String(cString: try #require(mkdtemp(&template)))
    mkdir("\(directory)/data", 0o700)
    if let previous {
      listener = fcntl(previous.listener, F_DUPFD_CLOEXEC, 0)
    } else {
      listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      listen(listener, 64)
    }
    notify = try datagramSocket(at: "\(directory)/notify")
    var pipes: [Int32] = [0, 0]
    pipe(&pipes)
    errors = pipes[0]
    write(users)

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, pipes[1], 2)
    posix_spawn_file_actions_adddup2(&actions, listener, 3)
    // LISTEN_PID is the pid after the exec, which only the process itself knows.
    let script = "export LISTEN_PID=$$; exec '\(Self.path)' --users '\(directory)/users'"
    var arguments = cStrings(["sh", "-c", script])
    var environment = cStrings(["LISTEN_FDS=1", "NOTIFY_SOCKET=\(directory)/notify"])
    defer { for text in arguments + environment { free(text) } }
    try #require(posix_spawn(&process, "/bin/sh", &actions, nil, &arguments, &environment) == 0)
    close(pipes[1])
  }

  deinit {
    kill(process, SIGKILL)
    for descriptor in [listener, notify, errors] { close(descriptor) }
    for name in ["data/a.phext", "users", "notify"] { unlink("\(directory)/\(name)") }
    rmdir("\(directory)/data")
    rmdir(directory)
  }

  func write(_ users: String) {
    let descriptor = open("\(directory)/users", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    let bytes = Array(users.replacing("DIRECTORY", with: "\(directory)/data").utf8)
    _ = bytes.withUnsafeBytes { OpenFile(descriptor).write($0) }
  }

  func signal(_ number: Int32) { kill(process, number) }

  /// The next message to the service manager; empty after 20 s without one.
  func message() -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(notify, &buffer, buffer.count, 0)
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
  }

  /// Waits for the end: the exit status, and what was written to standard error.
  func wait() -> (status: Int32, errors: String) {
    var status: Int32 = 0
    waitpid(process, &status, 0)
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = read(errors, &buffer, buffer.count)
    return (status, String(decoding: buffer.prefix(max(0, count)), as: UTF8.self))
  }

  /// A connection on which a request has been sent.
  func send(_ text: String) -> Int32 {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    withUnsafeMutableBytes(of: &address) { bytes in
      bytes.withMemoryRebound(to: sockaddr.self) {
        getsockname(listener, $0.baseAddress, &size)
        connect(descriptor, $0.baseAddress, size)
      }
    }
    setReceiveTimeout(descriptor)
    _ = Glibc.send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL))
    return descriptor
  }

  /// Everything that the server sends until it closes.
  func receive(_ descriptor: Int32) -> String {
    defer { close(descriptor) }
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 {
      received += buffer[..<count]
    }
    return String(decoding: received, as: UTF8.self)
  }

  /// One response of a server that has little to say; what has come when it ended the connection before.
  func response(_ descriptor: Int32) -> String {
    var received = ""
    var buffer = [UInt8](repeating: 0, count: 4096)
    while !received.hasSuffix(podserveVersion), case let count = recv(descriptor, &buffer, buffer.count, 0),
      count > 0
    {
      received += String(decoding: buffer[..<count], as: UTF8.self)
    }
    return received
  }

  /// The status of one request with a token.
  func status(token: String) -> String {
    let request =
      "GET /api/v2/version HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer \(token)\r\n\r\n"
    return String(receive(send(request)).dropFirst(9).prefix(3))
  }
}

/// A NULL-terminated array of copies, which the caller frees.
private func cStrings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
  var result: [UnsafeMutablePointer<CChar>?] = []
  for text in texts { result.append(strdup(text)) }
  return result + [nil]
}

private func setReceiveTimeout(_ descriptor: Int32) {
  var timeout = timeval(tv_sec: 20, tv_usec: 0)
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
}

private func datagramSocket(at path: String) throws -> Int32 {
  let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
  let result = withUnsafeBytes(of: &address) { bytes in
    bytes.withMemoryRebound(to: sockaddr.self) { bind(descriptor, $0.baseAddress, socklen_t(bytes.count)) }
  }
  try #require(result == 0)
  setReceiveTimeout(descriptor)
  return descriptor
}

@Suite(.enabled(if: access(Podserve.path, X_OK) == 0, "the program is not built"))
struct ProcessTests {
  static func users(_ token: String) -> String {
    "{\"users\":[{\"user\":\"a\",\"token\":\"\(token)\",\"directory\":\"DIRECTORY\"}]}"
  }

  @Test func saysReadyReloadsAndKeepsTheOldUsersWhenTheFileIsBroken() throws {
    let podserve = try Podserve(users: Self.users("first"))
    #expect(podserve.message().hasPrefix("READY=1"))
    #expect(podserve.status(token: "first") == "200")
    podserve.write(Self.users("second"))
    podserve.signal(SIGHUP)
    #expect(podserve.message().hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
    #expect(podserve.message().hasPrefix("READY=1"))
    #expect(podserve.status(token: "first") == "401")
    #expect(podserve.status(token: "second") == "200")
    podserve.write("{\"users\":")
    podserve.signal(SIGHUP)
    #expect(podserve.message().hasPrefix("RELOADING=1"))
    #expect(podserve.message().hasPrefix("READY=1\nSTATUS=The users file is broken"))
    #expect(podserve.status(token: "second") == "200")
    podserve.signal(SIGTERM)
    #expect(podserve.message() == "STOPPING=1")
    let (status, errors) = podserve.wait()
    #expect(status == 0)
    let lines = [
      "<6>Serving 1 user.", "<6>Serving 1 user.",
      "<3>\(podserve.directory)/users: line 1: Expected a value; the users stay as they were.",
    ]
    #expect(errors == lines.map { $0 + "\n" }.joined())
  }

  @Test func sigtermFinishesTheOpenRequestAndLeavesTheSocketOpen() throws {
    let podserve = try Podserve(users: Self.users("t"))
    #expect(podserve.message().hasPrefix("READY=1"))
    let open = podserve.send(
      "POST /api/v2/insert?p=a HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\nContent-Length: 5\r\n\r\nhe")
    // An answer to a later connection shows that the earlier one was accepted.
    #expect(podserve.status(token: "t") == "200")
    podserve.signal(SIGTERM)
    #expect(podserve.message() == "STOPPING=1")
    let waiting = podserve.send("GET / HTTP/1.1\r\n")
    _ = send(open, "llo", 3, 0)
    #expect(podserve.receive(open).hasSuffix("Inserted 5 bytes"))
    #expect(podserve.wait().status == 0)
    var byte: UInt8 = 0
    #expect(recv(waiting, &byte, 1, Int32(MSG_DONTWAIT)) == -1 && errno == EAGAIN)
    close(waiting)
  }

  @Test func aRestartOnTheSameSocketLosesNoRequestAndKeepsNoQuietConnection() throws {
    let request = "GET /api/v2/version HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\n\r\n"
    let old = try Podserve(users: Self.users("t"))
    #expect(old.message().hasPrefix("READY=1"))
    var kept: [Int32] = []
    for _ in 0..<16 { kept.append(old.send(request)) }
    let quiet = old.send(request)
    for connection in kept + [quiet] {
      #expect(old.response(connection).contains("\r\nConnection: keep-alive\r\n"))
    }
    // A second one is on its way on half of the connections, and comes only later on the others.
    for connection in kept[..<8] { _ = send(connection, request, request.utf8.count, 0) }
    old.signal(SIGTERM)
    #expect(old.message() == "STOPPING=1")
    let waiting = old.send(request)
    for connection in kept[8...] { _ = send(connection, request, request.utf8.count, 0) }
    for connection in kept {
      var answer = old.response(connection)
      if answer.contains("\r\nConnection: keep-alive\r\n") {
        // Answered just before the signal was taken: the next answer tells.
        _ = send(connection, request, request.utf8.count, 0)
        answer = old.response(connection)
      }
      #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.contains("\r\nConnection: close\r\n"))
      #expect(old.receive(connection) == "")
    }
    #expect(old.receive(quiet) == "")
    let (status, errors) = old.wait()
    #expect(status == 0 && errors == "<6>Serving 1 user.\n")
    let new = try Podserve(users: Self.users("t"), after: old)
    #expect(new.message().hasPrefix("READY=1"))
    #expect(new.response(waiting).hasPrefix("HTTP/1.1 200 "))
    close(waiting)
  }

  @Test func aBrokenFileAtTheStartIsAFailure() throws {
    let podserve = try Podserve(users: "nonsense")
    let (status, errors) = podserve.wait()
    #expect(status == 1 << 8)
    #expect(errors == "<3>\(podserve.directory)/users: line 1: Expected a value\n")
  }
}
