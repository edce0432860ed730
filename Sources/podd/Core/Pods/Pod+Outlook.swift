import Linux
import PodModel
import PodStore
import Systemd

extension Pod {
  /// Why it is in its state, and what comes next.
  var outlook: PodOutlook {
    PodOutlook(
      name: name, lifecycle: lifecycle, users: record.users,
      wakesOnConnect: wakeOnConnect.wakePolicy == .wakes, isProbed: current?.liveness != nil, since: since,
      backoffUntil: lifecycle.backoffUntil.map(Self.realtime) ?? 0, workload: workload,
      otherUnit: other?.unit, otherWorkload: other?.workload, otherBegunAt: other?.begunAt ?? 0,
      startLimitBurst: host.settings.startLimitBurst)
  }

  /// A time of the loop's clock as CLOCK_REALTIME.
  private static func realtime(_ monotonic: UInt64) -> UInt64 {
    let now = EventLoop.main.now()
    return realtimeNow() + monotonic - min(now, monotonic)
  }
}
