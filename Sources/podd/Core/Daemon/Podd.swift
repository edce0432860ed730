import CLinux
import Glibc
import Linux
import PodAPI
import Systemd

/// The program podd, from its arguments to its exit status.
public enum Podd {
  /// Runs podd until it is asked to end, and returns its exit status: 0 after SIGTERM, 64 for wrong usage.
  ///
  /// - Parameter arguments: as `main` got them, with the program's name.
  public static func run(_ arguments: [String]) -> CInt {
    if arguments.contains("--version") {
      print("podd \(Release.version)")
      return 0
    }
    guard getuid() == 0, arguments.count == 1 else {
      let text = "podd: it is started by systemd: systemctl start podd.service (see podd(8))\n"
      _ = text.withCString { write(2, $0, strlen($0)) }
      return 64
    }
    blockSignals()
    let loop = EventLoop.main
    return LoopActor.assumeIsolated {
      do throws(Errno) {
        let daemon = Daemon(passed: try Notify.receivedDescriptors())
        do throws(Daemon.Unfit) {
          try daemon.start()
        } catch {
          Log.error(error.message)
          Notify.send("STATUS=\(error.message)")
          return error.status
        }
        let code = try loop.run()
        withExtendedLifetime(daemon) {}
        return code
      } catch {
        Log.error("\(error)")
        return 1
      }
    }
  }

  /// Must run before any thread exists: a signal that the loop takes from a signalfd has to be blocked in all threads.
  private static func blockSignals() {
    var blocked = sigset_t()
    sigemptyset(&blocked)
    for number in [SIGTERM, SIGINT, SIGHUP, SIGCHLD] { sigaddset(&blocked, number) }
    pthread_sigmask(SIG_BLOCK, &blocked, nil)
    signal(SIGPIPE, SIG_IGN)
  }
}
