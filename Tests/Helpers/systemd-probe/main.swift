// Parts of the SystemdTests that need their own process: the number of threads that the loop uses, and everything that
// depends on the environment. SystemdTests runs this program and reads its output.

import Glibc
import Systemd
import Time

/// Awaits timers, descriptors and bus calls on the loop; prints the number of threads.
func countThreads() throws -> CInt {
  LoopActor.assumeIsolated {
    _ = loopTask {
      do {
        await EventLoop.main.sleep(.milliseconds(1))
        var ends: [CInt] = [0, 0]
        guard pipe(&ends) == 0 else { return EventLoop.main.exit(2) }
        _ = await EventLoop.main.wait(
          descriptor: ends[0], events: PollEvents.input, timeout: .milliseconds(1))
        let bus = try Bus.openSystem(attachedTo: EventLoop.main, description: "probe")
        for _ in 0..<3 {
          let call = try bus.newMethodCall(
            destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus", member: "GetId")
          _ = try await bus.callAsync(call).readString()
        }
        let nested = loopTask { await EventLoop.main.sleep(Microseconds(1)) }
        await nested.value
        print(threads())
        bus.close()
        EventLoop.main.exit(0)
      } catch {
        print("\(error)")
        EventLoop.main.exit(1)
      }
    }
  }
  return try EventLoop.main.run()
}

/// Calls `Do` as podctl calls a rollout; prints the signals that arrive before the reply, and the reply.
func listen() throws -> CInt {
  let bus = try Bus.openSystem()
  let match = try bus.match(
    sender: "org.podctl1.Test", path: "/org/podctl1/test", interface: "org.podctl1.Test", member: "Step"
  ) { signal in
    print("step", (try? signal.readString()) ?? "?")
  }
  defer { withExtendedLifetime(match) {} }
  do throws(BusError) {
    let call = try bus.newMethodCall(
      destination: "org.podctl1.Test", path: "/org/podctl1/test", interface: "org.podctl1.Test", member: "Do")
    print("answer", try bus.callListening(call, timeout: .infinity).readString())
  } catch {
    print("failed", error.name, error.message)
  }
  return 0
}

func threads() -> Int {
  guard let directory = opendir("/proc/self/task") else { return 0 }
  defer { closedir(directory) }
  var count = -2  // `.` and `..`
  while readdir(directory) != nil { count += 1 }
  return count
}

func notify() throws -> CInt {
  print(Notify.send("READY=1\nSTATUS=a b"))
  // Stores standard input, which the test can recognise.
  try Notify.store(0, name: "pod-001")
  Notify.unstore(name: "pod-001")
  return 0
}

func journal() -> CInt {
  Journal.send(
    "one\ntwo", priority: .warning, identifier: "podd",
    messageID: "0123456789abcdef0123456789abcdef", fields: [("POD", "pod-001"), ("EMPTY", "")])
  return 0
}

func descriptors() throws -> CInt {
  for (name, descriptor) in try Notify.receivedDescriptors() {
    print(name, descriptor, fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
  }
  print(getenv("LISTEN_FDS") == nil)
  return 0
}

let status: CInt =
  switch CommandLine.arguments.dropFirst().first {
  case "threads": try countThreads()
  case "listen": try listen()
  case "notify": try notify()
  case "journal": journal()
  case "descriptors": try descriptors()
  default: 64
  }
exit(status)
