internal import CLinux
internal import Glibc
internal import Linux
internal import Time

/// podserve from start to end: the one place that knows the process's arguments, signals and manager.
///
/// podserve starts once per pod, and a small Swift program spends most of its start on the metadata of
/// generic types. The code before READY=1 therefore uses few of them, and no dictionary and no set.
public enum Program {
  /// - Returns: The exit status: 0, 1 for a failure, 64 for wrong usage.
  public static func run() -> Int32 {
    do {
      switch try Arguments.parse(CommandLineWords()) {
      case .help: printOut(Arguments.helpText)
      case .version: printOut("podserve \(podserveVersion)\n")
      case .serve(let users, let address, let port): try serve(usersFile: users, address: address, port: port)
      }
      return 0
    } catch let problem as Arguments.Problem {
      log(.error, problem.reason)
      return 64
    } catch let problem as UserTable.Problem {
      log(.error, problem.reason)
      return 1
    } catch let error as StorageError {
      log(.error, error.answer.reason)
      return 1
    } catch {
      log(.error, "podserve failed.")
      return 1
    }
  }

  private static func serve(usersFile: String, address: String?, port: UInt16?) throws {
    // This comes first, because a signal during the start must neither be lost nor end the process.
    let signals = linux_signal_descriptor([SIGTERM, SIGINT, SIGHUP], 3)
    linux_signal_ignore(SIGPIPE)
    // A write beyond RLIMIT_FSIZE must fail (EFBIG) and not end the process.
    linux_signal_ignore(SIGXFSZ)
    let listener = try openListener(address: address, port: port)
    let server = try Server(listener: listener.descriptor, service: Service(users: loadUsers(usersFile)))
    server.watch(signals) {
      while case let signal = linux_signal_next(signals), signal != 0 {
        if signal == SIGHUP {
          reload(server, usersFile)
        } else {
          Activation.notify("STOPPING=1")
          // podserve's own socket closes with it, so connections that wait there must be accepted now.
          if !listener.isInherited { server.acceptWaiting(atMost: Activation.backlog) }
          server.drain()
        }
      }
    }
    announce(server)
    while !server.isFinished { server.turn() }
    if server.unfinishedCount > 0 {
      log(.warning, "\(server.unfinishedCount) requests were not finished in time.")
    }
  }

  private static func openListener(address: String?, port: UInt16?) throws -> (
    descriptor: Int32, isInherited: Bool
  ) {
    if let inherited = try Activation.listeningSocket() { return (inherited, true) }
    guard let address, let port else {
      throw Arguments.Problem(reason: "No socket was passed (LISTEN_FDS); --address and --port are needed.")
    }
    return (try Activation.listen(address: address, port: port), false)
  }

  /// sd_notify(3): RELOADING=1 with the time, then READY=1, also when the reload failed.
  private static func reload(_ server: Server, _ usersFile: String) {
    Activation.notify("RELOADING=1\nMONOTONIC_USEC=\(Clock.loop.sinceBoot.count)")
    do throws(UserTable.Problem) {
      server.service.users = try loadUsers(usersFile)
      announce(server)
    } catch {
      log(.error, "\(error.reason); the users stay as they were.")
      Activation.notify("READY=1\nSTATUS=The users file is broken; serving the users known before.")
    }
  }

  private static func announce(_ server: Server) {
    let count = server.service.users.count
    let status = "Serving \(count) user\(count == 1 ? "" : "s")."
    log(.info, status)
    Activation.notify("READY=1\nSTATUS=\(status)")
  }

  static func loadUsers(_ path: String) throws(UserTable.Problem) -> UserTable {
    let limit = 1 << 20
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw UserTable.Problem(reason: "\(path): \(describe(errno))") }
    let file = OpenFile(descriptor)
    var bytes = [UInt8](repeating: 0, count: 4096)
    var count = 0
    while true {
      let part = bytes.withUnsafeMutableBytes {
        file.read(at: count, into: UnsafeMutableRawBufferPointer(rebasing: $0[count...]))
      }
      guard let part else { throw UserTable.Problem(reason: "\(path): \(describe(errno))") }
      count += part
      guard count == bytes.count else { break }
      guard count < limit else {
        throw UserTable.Problem(reason: "\(path): it is larger than \(limit) bytes")
      }
      bytes += [UInt8](repeating: 0, count: bytes.count)
    }
    bytes.removeLast(bytes.count - count)
    do throws(UserTable.Problem) {
      return try UserTable(json: bytes)
    } catch {
      throw UserTable.Problem(reason: "\(path): \(error.reason)")
    }
  }

  private static func printOut(_ text: String) {
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
  }
}

/// The process's arguments without its name, one after the other. CommandLine.arguments is an array of
/// strings, whose metadata takes a tenth of the start.
private struct CommandLineWords: Sequence, IteratorProtocol {
  private var index = 1

  mutating func next() -> String? {
    guard index < CommandLine.argc, let word = CommandLine.unsafeArgv[index] else { return nil }
    index += 1
    return String(cString: word)
  }
}
