import Cgroup
import Linux
import PodModel
import Systemd
import Time

/// A cgroup's `cgroup.events`, kept open: whether the cgroup has processes, and whether all of them are frozen
/// (cgroup-v2.rst). The kernel reports every change; nothing here reads on a timer as long as the file can be watched.
@LoopActor
final class CgroupEvents {
  private let path: String
  // In this order: the source goes before the descriptor that it watches.
  private var source: EventSource?
  private var watched: CgroupFile?
  /// The same file once more: a read through the watched descriptor takes its next notification away (facts 20).
  private var unwatched: CgroupFile?
  private var isFrozen = false
  private var waiters: [UnsafeContinuation<Void, Never>] = []
  private var onFreeze: (@LoopActor (Bool) -> Void)?
  private var onEmpty: (@LoopActor () -> Void)?

  init(_ cgroup: borrowing Cgroup) {
    path = cgroup.path
    watched = try? cgroup.open(InterfaceFile.events)
    unwatched = try? cgroup.open(InterfaceFile.events)
  }

  /// The cgroup at `path`, which need not exist any more.
  convenience init(path: String) {
    if let cgroup = try? Cgroup(path: path) {
      self.init(cgroup)
    } else {
      self.init(unopened: path)
    }
  }

  private init(unopened path: String) {
    self.path = path
    watched = nil
    unwatched = nil
  }

  /// Calls `onFreeze` whenever all processes are frozen or no longer are, whoever did it, and `onEmpty` once when none
  /// is left.
  func watch(
    onFreeze: (@LoopActor (Bool) -> Void)? = nil, onEmpty: (@LoopActor () -> Void)? = nil
  ) {
    self.onFreeze = onFreeze
    self.onEmpty = onEmpty
    guard let descriptor = watched?.descriptor else { return }
    source = try? EventSource.io(EventLoop.main, descriptor: descriptor, events: PollEvents.priority) {
      [weak self] _ in
      LoopActor.assumeIsolated { self?.changed() }
    }
    changed()
  }

  /// Reports nothing more to the handlers of ``watch(onFreeze:onEmpty:)``; ``untilEmpty(by:)`` still works.
  func ignore() {
    onFreeze = nil
    onEmpty = nil
  }

  /// Whether any process is left. What cannot be read counts as populated: a second copy of a program that lives is the
  /// greater harm.
  var isPopulated: Bool {
    if let state = unwatched?.state { return state.isPopulated }
    return Self.isPopulated(path)
  }

  /// The same for the cgroup at `path`, read once.
  static func isPopulated(_ path: String) -> Bool {
    do throws(CgroupError) {
      return try Cgroup(path: path).isPopulated()
    } catch .gone {
      return false
    } catch {
      return true
    }
  }

  /// Returns when no process is left, or at `deadline`.
  func untilEmpty(by deadline: LoopTime = .never) async {
    var pauses = DoublingPause(first: .milliseconds(1), longest: .seconds(1))
    while isPopulated {
      let now = EventLoop.main.now()
      guard now < deadline else { return }
      let left = deadline - now
      let alarm = deadline == .never ? Alarm() : Alarm(after: left) { [weak self] in self?.wakeWaiters() }
      if source != nil, alarm.isSet || deadline == .never {
        await withUnsafeContinuation { waiters.append($0) }
        alarm.end()
      } else {
        // The file cannot be watched: it is read again and again.
        await EventLoop.main.sleep(min(pauses.next(), left))
      }
    }
  }

  /// An event source is an owned value, which a local variable cannot hold over a suspension in a loop.
  private final class Alarm {
    private var source: EventSource?
    var isSet: Bool { source != nil }

    init() {}

    init(after: Microseconds, _ body: @escaping @LoopActor () -> Void) {
      source = try? EventSource.timer(EventLoop.main, after: after) { LoopActor.assumeIsolated { body() } }
    }

    func end() { source = nil }
  }

  private func wakeWaiters() {
    let waiting = waiters
    waiters = []
    for continuation in waiting { continuation.resume() }
  }

  private func changed() {
    guard let state = watched?.state else {
      // A file that cannot be read reports an error for ever.
      source = nil
      return wakeWaiters()
    }
    if state.isFrozen != isFrozen {
      isFrozen = state.isFrozen
      onFreeze?(isFrozen)
    }
    // So does the file of a removed cgroup (facts 19).
    if state.isGone { source = nil }
    guard !state.isPopulated else { return }
    let handler = onEmpty
    onEmpty = nil
    handler?()
    wakeWaiters()
  }
}

extension CgroupFile {
  /// What `cgroup.events` says; nil when it cannot be read. A cgroup that is gone has no processes.
  fileprivate var state: (isPopulated: Bool, isFrozen: Bool, isGone: Bool)? {
    do throws(CgroupError) {
      return try read { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        return (
          CgroupFiles.value(of: "populated", in: text) != 0,
          CgroupFiles.value(of: "frozen", in: text) == 1, false
        )
      }
    } catch .gone {
      return (false, false, true)
    } catch {
      return nil
    }
  }
}
