import Glibc
import Linux
import PodAPI
import PodModel
import Systemd
import Time
import TokenCheck

/// The program podgate, from its arguments to its exit status.
public enum Podgate {
  /// - Parameter arguments: as `main` got them, with the program's name.
  /// - Returns: 0; 1 for a failure; 64 for wrong usage.
  public static func run(_ arguments: [String]) -> CInt {
    let words = Array(arguments.dropFirst())
    switch words.first {
    case nil: return serve()
    case "--version" where words.count == 1:
      print("podgate \(Release.version)")
      return 0
    case "admin" where words.count == 1: return Admin.serve()
    case "check" where words.count == 1: return check()
    case "sign": return sign(Array(words.dropFirst()))
    case "metrics" where words.count == 1: return scrape()
    default:
      return usage()
    }
  }

  private static func usage() -> CInt {
    complain("it is started by systemd: systemctl start podgate.socket (see podgate(8))")
    return 64
  }

  private static func serve() -> CInt {
    blockSignals()
    let loop = EventLoop.main
    return LoopActor.assumeIsolated {
      do throws(Errno) {
        let passed = try Notify.receivedDescriptors()
        guard !passed.isEmpty else { return usage() }
        let daemon = GateDaemon()
        do throws(GateDaemon.Unfit) {
          try daemon.start(passed)
        } catch {
          GateLog.error(error.message)
          Notify.send("STATUS=\(error.message)")
          return 1
        }
        let code = try loop.run()
        withExtendedLifetime(daemon) {}
        return code
      } catch {
        GateLog.error("\(error)")
        return 1
      }
    }
  }

  /// `metrics`: one HTTP request on standard input, for podgate-metrics@.service.
  private static func scrape() -> CInt {
    var type: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    guard getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &size) == 0 else { return usage() }
    signal(SIGPIPE, SIG_IGN)
    Scrape.host.serve(AcceptedConnection(descriptor: STDIN_FILENO))
    return 0
  }

  /// `sign USER LIFETIME`: prints a token. For `podctl token`, which is not linked with libcrypto.
  private static func sign(_ words: [String]) -> CInt {
    guard words.count == 2 else {
      complain("usage: podgate sign USER LIFETIME; podctl token does this")
      return 64
    }
    let user: UserName
    let lifetime: Microseconds
    do throws(UserNameError) {
      user = try UserName(validating: words[0])
    } catch {
      complain(error.description)
      return 64
    }
    do throws(ValueError) {
      lifetime = try SettingsValue.timeSpan(words[1])
      guard lifetime >= .seconds(1), lifetime <= .year else {
        throw ValueError("the lifetime is not between 1s and 1y")
      }
    } catch {
      complain(error.message)
      return 64
    }
    do throws(GateConfiguration.Failure) {
      let configuration = try GateConfiguration.read()
      do throws(SigningError) {
        print(try configuration.verifier.sign(for: user, now: Clock.wall, lifetime: lifetime))
        return 0
      } catch {
        complain("\(configuration.settings.keyFile): \(error)")
      }
    } catch {
      for message in error.messages { complain(message) }
    }
    return 1
  }

  /// `check`: what `podctl doctor` shows of the front door's keys and certificate, because podctl is not linked with
  /// libcrypto.
  private static func check() -> CInt {
    for result in GateCheck().results(now: Clock.wall) { print(result.line) }
    return 0
  }

  private static func complain(_ text: String) {
    let line = Array("podgate: \(text)\n".utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  /// Must run before any thread exists: a signal that the loop takes from a signalfd has to be blocked in all threads.
  private static func blockSignals() {
    var blocked = sigset_t()
    sigemptyset(&blocked)
    for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&blocked, number) }
    pthread_sigmask(SIG_BLOCK, &blocked, nil)
    signal(SIGPIPE, SIG_IGN)
  }
}
