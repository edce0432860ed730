import Glibc
import Linux
import Testing

@Suite(.timeLimit(.minutes(5))) struct ChildProcessTests {
  @Test func `a child has exactly its descriptors, and its status comes back`() throws {
    let pipe = try Pipe()
    let reader = pipe.reader
    let writer = pipe.writer
    let null = try FileDescriptor.open("/dev/null", O_RDWR)
    let child = try ChildProcess(
      "/bin/sh", ["sh", "-c", "ls /proc/self/fd; echo $NAME; exit 3"],
      environment: ["PATH=/usr/bin:/bin", "NAME=value"], descriptors: [null.raw, writer.raw, -1])
    close(writer.release())
    let words = String(decoding: try reader.readAll(limit: 4096), as: UTF8.self).split(separator: "\n")
    // ls(1) opens the directory itself, as the lowest free descriptor.
    #expect(words == ["0", "1", "2", "value"])
    #expect(child.wait() == .exited(3))
  }

  @Test func `a program from PATH runs in the caller's environment and session`() throws {
    let null = try FileDescriptor.open("/dev/null", O_RDWR)
    let child = try ChildProcess(
      "sh", ["sh", "-c", "test $(ps -o sid= -p $$ 2>/dev/null || echo none) != \"\" && test -n \"$PATH\""],
      environment: nil, descriptors: [null.raw, null.raw, null.raw], session: .callers)
    #expect(child.wait() == .exited(0))
  }

  @Test func `a missing program is an error, and a signal ends a child`() throws {
    #expect(throws: Errno.self) {
      let child = try ChildProcess("/none/such", ["such"], environment: [], descriptors: [-1, -1, -1])
      child.discard()
    }
    let child = try ChildProcess(
      "/bin/sleep", ["sleep", "1000"], environment: [], descriptors: [-1, -1, -1])
    #expect(ProcessEnd(ofChild: child.pid) == nil)
    child.send(SIGTERM)
    #expect(child.wait() == .killed(signal: SIGTERM, dumpedCore: false))
  }
}
