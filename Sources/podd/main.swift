import CLinux
import Glibc
import PodAPI
import Systemd

if CommandLine.arguments.contains("--version") {
  print("podd \(Release.version)")
  exit(0)
}
guard getuid() == 0, CommandLine.arguments.count == 1 else {
  let text = "podd: it is started by systemd: systemctl start podd.service (see podd(8))\n"
  _ = text.withCString { write(2, $0, strlen($0)) }
  exit(64)
}

// Before any thread exists: what the loop takes from a signalfd must be blocked everywhere.
var blocked = sigset_t()
sigemptyset(&blocked)
for number in [SIGTERM, SIGINT, SIGHUP, SIGCHLD] { sigaddset(&blocked, number) }
pthread_sigmask(SIG_BLOCK, &blocked, nil)
signal(SIGPIPE, SIG_IGN)

let loop = EventLoop.main
let status: CInt = LoopActor.assumeIsolated {
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
exit(status)
