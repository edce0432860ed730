import Linux
import PodModel
import PodStore
import Systemd
import Time

extension Pod {
  /// Why it is in its state, and what comes next.
  var outlook: PodOutlook {
    let idle = nextIdleAct.map { act, at in
      (act: act, at: connections == 0 ? Clock.wall(of: at) : nil)
    }
    return PodOutlook(
      name: name, lifecycle: lifecycle, users: record.users, activeUsers: record.activeUsers,
      wakesOnConnect: wakeOnConnect.wakePolicy == .wakes, isProbed: current?.liveness != nil,
      idle: idle, since: since, backoffUntil: lifecycle.backoffUntil.map(Clock.wall(of:)), workload: workload,
      otherUnit: other?.unit, otherWorkload: other?.workload, otherBegunAt: other?.begunAt,
      startLimitBurst: host.settings.startLimitBurst)
  }
}
