import Cgroup
import Glibc
import PodModel
import Systemd

/// Tells at once who is short of memory: the host, all pods, a tier's pods, or one pod. The kernel watches; podd
/// sleeps until it says something (docs/decisions/0015-pressure-without-threads.md).
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

  /// Microseconds stalled within a window. For host and slices the shortest that costs no kernel thread: what they
  /// tell is acted on at once. A pod may stall for a moment; one that does for a fifth of the time is in need.
  private static let shared = Bounds(kind: .some, stallUSec: 200_000, windowUSec: 2_000_000)
  private static let ofPod = Bounds(kind: .full, stallUSec: 2_000_000, windowUSec: 10_000_000)

  private struct Bounds {
    let kind: PressureTrigger.Kind
    let stallUSec: UInt64
    let windowUSec: UInt64
  }

  static let podsSlice = ControlGroup.podsSlice

  private unowned let host: PodHost
  private var handlers: [Handler] = []
  private var armedHost: Armed?
  private var armedSlices: [String: Armed] = [:]
  /// Whether this kernel arms triggers that cost no thread. Without them pods have none, and their slices', a
  /// handful, have to do.
  private(set) var podsHaveTriggers = true
  private var hasComplained = false

  init(_ host: PodHost) {
    self.host = host
  }

  /// Calls `handler` at every pressure that the totals bear out, at most once a window and source: 2 s for host
  /// and slices, 10 s for a pod. It keeps coming for as long as the pressure lasts.
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
        tell(source, $0)
      }
    } catch .io(_, EPERM) {
      // An older kernel (6.4 brought it, Debian's 6.1 has it too): one thread for a few slices is no harm, one for every pod is.
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
        tell(source, $0)
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
        of.kind, stallUSec: of.stallUSec, windowUSec: of.windowUSec, host: path, mayCostThread: mayCostThread)
    case .slice, .pod:
      let of = if case .pod = source { Self.ofPod } else { Self.shared }
      return try PressureTrigger(
        of.kind, stallUSec: of.stallUSec, windowUSec: of.windowUSec, in: try Cgroup(path: path),
        mayCostThread: mayCostThread)
    }
  }

  private func tell(_ source: Source, _ pressure: Pressure) {
    for handler in handlers { handler(source, pressure) }
  }

  private func complain(_ error: CgroupError) {
    if hasComplained { return }
    hasComplained = true
    Log.warning("Cannot watch memory pressure, ignoring: \(error). Memory is still sampled.")
  }

  // MARK: Letting go

  /// Descriptors whose closing takes long, and whether a thread closes some.
  private var leftToClose: [CInt] = []
  private var isClosing = false

  /// Ends a trigger beside the loop: the kernel waits for a grace period of RCU, some 20 ms, with whoever closes it
  /// last or removes its cgroup (psi_trigger_destroy).
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
    // In this order: the source goes before the descriptor that it watches.
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

    /// Nothing is told from here on. To be called before the pod's processes are stopped, so that systemd need not
    /// wait for the kernel as it removes their cgroup.
    func disarm() {
      source = nil
      guard let ending = trigger.take() else { return }
      // With a copy, the close that `ending` brings is not the last one.
      let copy = fcntl(ending.descriptor, F_DUPFD_CLOEXEC, 0)
      if copy >= 0 { watch.close(copy) }
    }

    private func event(_ events: UInt32, _ onPressure: @LoopActor (Pressure) -> Void) {
      do throws(CgroupError) {
        let pressure = try trigger?.read()
        // An error that reading does not show would come again for ever.
        if events & PollEvents.error != 0 { source = nil }
        if let pressure { onPressure(pressure) }
      } catch {
        // Its cgroup is gone, as a rule.
        source = nil
      }
    }
  }
}
