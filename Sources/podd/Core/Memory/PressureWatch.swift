import Cgroup
import Glibc
import PodModel
import Systemd
import Time

/// Reports memory pressure of the host, of all pods, of a tier's pods, or of one pod, as soon as the kernel
/// notices it. podd sleeps until then (docs/decisions/0015-pressure-without-threads.md).
@LoopActor
final class PressureWatch {
  enum Source {
    /// `/proc/pressure/memory`.
    case host
    /// A slice by its name: `pods.slice`, or a tier's.
    case slice(String)
    case pod(Pod)
  }

  typealias Pressure = PressureTrigger.Reading
  typealias Handler = @LoopActor (Source, Pressure) -> Void

  /// How much stall within which window. podd acts at once on pressure of the host and slices, so theirs is
  /// the shortest window that needs no kernel thread. A pod may stall for a moment; a fifth of the time is
  /// too much.
  private static let shared = Bounds(kind: .some, stall: .milliseconds(200), window: .seconds(2))
  private static let ofPod = Bounds(kind: .full, stall: .seconds(2), window: .seconds(10))

  private struct Bounds {
    let kind: PressureTrigger.Kind
    let stall: Microseconds
    let window: Microseconds
  }

  static let podsSlice = ControlGroup.podsSlice

  private unowned let host: PodHost
  private var handlers: [Handler] = []
  private var armedHost: Armed?
  private var armedSlices: [String: Armed] = [:]
  /// Whether this kernel arms triggers that need no thread. If not, pods have no triggers of their own, and
  /// those of their slices, which are few, serve instead.
  private(set) var podsHaveTriggers = true
  private var hasComplained = false

  init(_ host: PodHost) {
    self.host = host
  }

  /// Calls `handler` at every event that the totals bear out, again and again for as long as the pressure
  /// lasts, but at most once per window: 2 s for the host and slices, 10 s for a pod.
  func onPressure(_ handler: @escaping Handler) {
    handlers.append(handler)
  }

  /// Watches the host and all pods together.
  func start() {
    if armedHost == nil { armedHost = arm(.host, path: "/proc/pressure/memory") }
    watch(slice: Self.podsSlice, path: "/\(Self.podsSlice)")
  }

  /// Watches a pod's cgroup for as long as the returned object lives, and its tier's slice.
  func watch(_ pod: Pod, path: String) -> Armed? {
    let slice = Cgroup.parent(of: path)
    let parts = slice.split(separator: "/")
    if let name = parts.last, parts.count > 1 { watch(slice: String(name), path: slice) }
    return podsHaveTriggers ? arm(.pod(pod), path: path) : nil
  }

  private func watch(slice: String, path: String) {
    if let known = armedSlices[slice], !known.isGone { return }
    armedSlices[slice] = arm(.slice(slice), path: path)
  }

  private func arm(_ source: Source, path: String) -> Armed? {
    do throws(CgroupError) {
      return try Armed(self, try trigger(source, path, mayCostThread: false)) { [unowned self] in
        notify(source, $0)
      }
    } catch .io(_, EPERM) {
      // An older kernel; Linux 6.4 brought triggers without a thread, and Debian's 6.1 has them, too. One
      // thread for each of a few slices is acceptable, one for each pod is not.
      guard case .pod = source else { return armWithThread(source, path) }
      podsHaveTriggers = false
      return nil
    } catch .gone {
      return nil
    } catch {
      complain(error)
      return nil
    }
  }

  private func armWithThread(_ source: Source, _ path: String) -> Armed? {
    do throws(CgroupError) {
      return try Armed(self, try trigger(source, path, mayCostThread: true)) { [unowned self] in
        notify(source, $0)
      }
    } catch {
      complain(error)
      return nil
    }
  }

  private func trigger(
    _ source: Source, _ path: String, mayCostThread: Bool
  ) throws(CgroupError) -> PressureTrigger {
    switch source {
    case .host:
      let of = Self.shared
      return try PressureTrigger(
        of.kind, stall: of.stall, window: of.window, host: path, mayCostThread: mayCostThread)
    case .slice, .pod:
      let of = if case .pod = source { Self.ofPod } else { Self.shared }
      return try PressureTrigger(
        of.kind, stall: of.stall, window: of.window, in: try Cgroup(path: path),
        mayCostThread: mayCostThread)
    }
  }

  private func notify(_ source: Source, _ pressure: Pressure) {
    for handler in handlers { handler(source, pressure) }
  }

  private func complain(_ error: CgroupError) {
    if hasComplained { return }
    hasComplained = true
    Log.warning("Cannot watch memory pressure, ignoring: \(error). Memory is still sampled.")
  }

  // MARK: Closing

  /// Descriptors that take long to close, and whether a thread is closing some.
  private var leftToClose: [CInt] = []
  private var isClosing = false

  /// Ends a trigger off the loop: the last close of it, or the removal of its cgroup, waits for an RCU grace
  /// period of about 20 ms (psi_trigger_destroy).
  fileprivate func close(_ descriptor: CInt) {
    leftToClose.append(descriptor)
    guard !isClosing else { return }
    isClosing = true
    loopTask {
      while !self.leftToClose.isEmpty {
        let descriptors = self.leftToClose
        self.leftToClose = []
        let closeAll: @Sendable () -> Void = { for descriptor in descriptors { _ = Glibc.close(descriptor) } }
        do throws(Errno) {
          try await BackgroundThread.run(closeAll)
        } catch {
          // No thread can be started.
          closeAll()
        }
      }
      self.isClosing = false
    }
  }

  /// One trigger and its place in the loop.
  @LoopActor
  final class Armed {
    // Declared in this order so that the source is released before the descriptor that it watches.
    private var source: EventSource?
    private var trigger: PressureTrigger?
    private unowned let watch: PressureWatch
    var isGone: Bool { source == nil }

    fileprivate init(
      _ watch: PressureWatch, _ trigger: consuming PressureTrigger,
      _ onPressure: @escaping @LoopActor (Pressure) -> Void
    ) throws(CgroupError) {
      let descriptor = trigger.descriptor
      self.watch = watch
      self.trigger = consume trigger
      do throws(Errno) {
        source = try EventSource.io(EventLoop.main, descriptor: descriptor, events: PollEvents.priority) {
          [weak self] events in
          LoopActor.assumeIsolated { self?.event(events, onPressure) }
        }
      } catch {
        throw .io(path: InterfaceFile.memoryPressure, errno: error.code)
      }
    }

    /// Ends all reports. To be called before the pod's processes are stopped, so that systemd need not wait
    /// for the kernel when it removes their cgroup.
    func disarm() {
      source = nil
      guard let ending = trigger.take() else { return }
      // With a copy, the close at the end of `ending` is not the last one.
      let copy = fcntl(ending.descriptor, F_DUPFD_CLOEXEC, 0)
      if copy >= 0 { watch.close(copy) }
    }

    private func event(_ events: UInt32, _ onPressure: @LoopActor (Pressure) -> Void) {
      do throws(CgroupError) {
        let pressure = try trigger?.read()
        // A descriptor error that does not appear in a read would be reported for ever.
        if events & PollEvents.error != 0 { source = nil }
        if let pressure { onPressure(pressure) }
      } catch {
        // Usually its cgroup is gone.
        source = nil
      }
    }
  }
}
