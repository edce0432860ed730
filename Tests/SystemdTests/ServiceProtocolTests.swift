import Glibc
import Testing

@testable import Systemd

/// What is spoken with the service manager and with journald, by a process of its own: the sockets are named
/// by the environment, or stand at fixed places.
@Suite(.timeLimit(.minutes(10))) struct ServiceProtocolTests {
  @Test func readinessAndStoredDescriptorsReachTheManager() throws {
    let scratch = try Scratch()
    let manager = try DatagramSocket(at: "\(scratch.path)/notify")
    let output = try Probe.run(["notify"], environment: ["NOTIFY_SOCKET": "\(scratch.path)/notify"])
    #expect(output == "true\n")
    #expect(try manager.text() == "READY=1\nSTATUS=a b")

    let stored = try manager.receive()
    #expect(String(decoding: stored.bytes, as: UTF8.self) == "FDSTORE=1\nFDNAME=pod-001\nFDPOLL=0")
    let passed = FileDescriptor(owning: try #require(stored.passed))
    // The probe's standard input.
    #expect(readlink("/proc/self/fd/\(passed.raw)") == "/dev/null")

    #expect(try manager.text() == "FDSTOREREMOVE=1\nFDNAME=pod-001")
  }

  @Test func withoutAManagerNothingIsSent() throws {
    #expect(try Probe.run(["notify"], environment: [:]) == "false\n")
  }

  @Test func passedDescriptorsComeWithTheirNames() throws {
    let script = "export LISTEN_PID=$$; exec \"$0\" descriptors 3</dev/null 4</dev/null"
    let output = try Probe.run(
      script: script, environment: ["LISTEN_FDS": "2", "LISTEN_FDNAMES": "pod-001:pod-002"])
    #expect(output == "pod-001 3 true\npod-002 4 true\ntrue\n")
  }

  @Test func descriptorsForSomebodyElseAreNotTaken() throws {
    let output = try Probe.run(["descriptors"], environment: ["LISTEN_FDS": "1", "LISTEN_PID": "1"])
    #expect(output == "true\n")
  }

  @Test(.enabled(if: MountNamespace.isAvailable, "needs a mount namespace"))
  func anEntryReachesJournaldWithAllItsFields() throws {
    let scratch = try Scratch()
    let journald = try DatagramSocket(at: "\(scratch.path)/socket")
    let script = """
      mount -t tmpfs none /run && mkdir -p /run/systemd/journal &&
        mount --bind '\(scratch.path)' /run/systemd/journal && exec "$0" journal
      """
    _ = try Probe.run(
      script: "exec \(MountNamespace.command) sh -c '\(quoted(script))' \"$0\"", environment: [:])
    let fields = try nativeFields(journald.receive().bytes)
    #expect(fields["MESSAGE"] == "one\ntwo")
    #expect(fields["PRIORITY"] == "4")
    #expect(fields["SYSLOG_IDENTIFIER"] == "podd")
    #expect(fields["MESSAGE_ID"] == "0123456789abcdef0123456789abcdef")
    #expect(fields["POD"] == "pod-001")
    #expect(fields["EMPTY"] == "")
  }

  private func quoted(_ script: String) -> String { script.replacing("'", with: "'\\''") }

  private func readlink(_ path: String) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    let count = Glibc.readlink(path, &buffer, buffer.count)
    return String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// journald's native protocol: `NAME=value`, or for values with a newline the name, a little-endian
  /// length and the bytes (systemd, JOURNAL_NATIVE_PROTOCOL).
  private func nativeFields(_ bytes: [UInt8]) throws -> [String: String] {
    var fields: [String: String] = [:]
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 10) {
      let line = rest[..<end]
      rest = rest[(end + 1)...]
      if let equals = line.firstIndex(of: UInt8(ascii: "=")) {
        let name = String(decoding: line[..<equals], as: UTF8.self)
        fields[name] = String(decoding: line[(equals + 1)...], as: UTF8.self)
      } else {
        let length = rest.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let value = rest.dropFirst(8).prefix(length)
        fields[String(decoding: line, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
        rest = rest.dropFirst(8 + length + 1)
      }
    }
    return fields
  }
}

/// A place where `/run` can be another than the host's.
enum MountNamespace {
  static let command = getuid() == 0 ? "unshare --mount" : "unshare --map-root-user --mount"

  static let isAvailable: Bool = {
    let script = "\(command) mount -t tmpfs none /run 2>/dev/null && echo yes || echo no"
    return (try? Probe.run(script: script, environment: [:])) == "yes\n"
  }()
}
