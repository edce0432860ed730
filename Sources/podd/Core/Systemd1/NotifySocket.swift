import CLinux
import Glibc
import PodModel
import Systemd
import Time

/// The socket on which pods report READY=1 (sd_notify(3)). The kernel reports the sender's uid, which belongs
/// to one pod only.
///
/// Whatever a pod sends is received in a thread of its own, which exists while there are messages: the kernel closes
/// there the descriptors that came with them, and such a close may wait. The loop gets a bounded number of senders.
@LoopActor
final class NotifySocket {
  /// A process that said READY=1.
  struct Ready: Hashable, Sendable {
    let uid: uid_t
    let pid: pid_t
  }

  /// The directories of the socket.
  struct Place {
    /// Root's alone: whoever is not in a pod cannot reach what is below.
    let closed: String
    /// Pods see this directory, bound by pod-launch, so that a socket that is created again after a crash is found
    /// at the same path.
    let directory: String
    /// Where an earlier podd had the directory, for everybody.
    let former: String

    var socket: String { directory + "/socket" }

    static let ofHost = Place(
      closed: LaunchPlan.notifySource.closed, directory: LaunchPlan.notifySource.directory,
      former: LaunchPlan.notifyDirectory)
  }

  /// How many messages one thread receives; more wait in the kernel's queue, and their senders with them.
  private nonisolated static let atOnce = 64
  private static let pauseAfterFailure: Microseconds = .milliseconds(100)

  private let socket: FileDescriptor
  private let handler: @LoopActor (Ready) -> Void
  private var source: EventSource?

  /// `handler` is called for each process that said READY=1, once for several messages that came together.
  ///
  /// - Parameter refusesDescriptors: where the kernel can; false in tests of what happens where it cannot.
  init(
    at place: Place = .ofHost, refusesDescriptors: Bool = true,
    _ handler: @escaping @LoopActor (Ready) -> Void
  ) throws(Errno) {
    try Self.prepare(place)
    let raw = Glibc.socket(
      AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
    guard raw >= 0 else { throw Errno.last("notify socket") }
    socket = FileDescriptor(owning: raw)
    self.handler = handler
    var one: CInt = 1
    guard setsockopt(raw, SOL_SOCKET, SO_PASSCRED, &one, socklen_t(MemoryLayout<CInt>.size)) == 0 else {
      throw Errno.last("SO_PASSCRED")
    }
    // Where the kernel cannot refuse them, the receiving thread lets the kernel close them.
    if refusesDescriptors { _ = linux_refuse_descriptors(raw) }
    unlink(place.socket)
    try Self.bindPath(raw, place.socket)
    // Every process that sees the directory may write; the credentials identify the sender.
    guard chmod(place.socket, 0o666) == 0 else { throw Errno.last("chmod \(place.socket)") }
    try watch()
  }

  /// Moves an earlier podd's directory as it is: running pods have it bound, and find the new socket in it.
  private static func prepare(_ place: Place) throws(Errno) {
    try Files.makeDirectory(place.closed, mode: 0o700)
    if rename(place.former, place.directory) != 0, errno != ENOENT {
      Log.warning(
        "\(place.former) cannot be moved to \(place.directory) (\(Errno.last().text)): pods that were launched "
          + "with it cannot report READY=1 until they are restarted")
    }
    try Files.makeDirectory(place.directory, mode: 0o755)
  }

  private func watch() throws(Errno) {
    source = try EventSource.io(
      EventLoop.main, descriptor: socket.raw, events: PollEvents.input
    ) { [weak self] _ in
      LoopActor.assumeIsolated { self?.receive() }
    }
  }

  private func receive() {
    // One thread at a time; what comes meanwhile waits in the kernel.
    source = nil
    let raw = socket.raw
    loopTask {
      do throws(Errno) {
        let senders = try await BackgroundThread.run { () throws(Errno) in
          try Self.received(from: raw, atMost: Self.atOnce)
        }
        for sender in senders { self.handler(sender) }
      } catch {
        Log.warning("The pods' notifications wait: \(error)")
        await EventLoop.main.sleep(Self.pauseAfterFailure)
      }
      do throws(Errno) {
        try self.watch()
      } catch {
        Log.error("The pods' notifications are not received any more: \(error)")
      }
    }
  }

  /// Who said READY=1 in the messages that are there.
  private nonisolated static func received(from raw: CInt, atMost limit: Int) throws(Errno) -> [Ready] {
    var timer: UnsafeMutableRawPointer?
    let begun = linux_interruption_begin(&timer)
    // The kernel's first timer has the number 0, which is a null pointer here.
    guard begun == 0 else { throw Errno(begun, "create a timer") }
    defer { linux_interruption_end(timer) }
    var senders: [Ready] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    for _ in 0..<limit {
      var pid: pid_t = 0
      var uid: uid_t = 0
      let got = buffer.withUnsafeMutableBytes {
        linux_receive_with_credentials(raw, $0.baseAddress, $0.count, &pid, &uid, timer)
      }
      guard got >= 0 else { break }
      let sender = Ready(uid: uid, pid: pid)
      if NotifyMessage.saysReady(buffer[0..<got]), !senders.contains(sender) { senders.append(sender) }
    }
    return senders
  }

  private static func bindPath(_ raw: CInt, _ path: String) throws(Errno) {
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: name.sun_path) else {
      throw Errno(ENAMETOOLONG, "bind \(path)")
    }
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    let bound = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, size) }
    }
    guard bound == 0 else { throw Errno.last("bind \(path)") }
  }
}
