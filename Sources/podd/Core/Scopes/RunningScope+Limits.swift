import Cgroup
import Glibc
import Linux
import PodModel
import Systemd
import Time

extension RunningScope {
  /// Compares the limits in force with the tier's; an empty list when all are as they should be.
  func limitMismatches(_ tier: Tier) -> [String] {
    var wrong: [String] = []
    func expect(_ file: String, _ limit: UInt64?, granularity: UInt64 = 1) {
      let wanted = limit.map { $0 / granularity * granularity }
      guard let text = read(file) else {
        wrong.append("\(file) cannot be read")
        return
      }
      let found = try? CgroupFiles.limit(text)
      if found != wanted { wrong.append("\(file) is \(text.filter { $0 != "\n" })") }
    }
    // The kernel keeps memory limits in whole pages.
    let page = UInt64(max(sysconf(CInt(_SC_PAGESIZE)), 1))
    expect(InterfaceFile.memoryMax, tier.memoryMax, granularity: page)
    expect(InterfaceFile.memoryHigh, tier.memoryHigh, granularity: page)
    expect(InterfaceFile.pidsMax, tier.tasksMax)
    // A kernel without swap accounting has no such file, and then no swap to limit either.
    if read(InterfaceFile.memorySwapMax) != nil {
      expect(InterfaceFile.memorySwapMax, tier.memorySwapMax, granularity: page)
    }
    if let text = read(InterfaceFile.cpuMax), let (quota, period) = try? CgroupFiles.cpuMax(text) {
      // Quota per period against CPU time per second, in whole percents (facts 9).
      let found = quota.map { $0 * 100 / max(period, 1) }
      let wanted = tier.cpuQuotaPerSec.map { max($0 / .milliseconds(10), 1) }
      if found != wanted { wrong.append("cpu.max is \(text.filter { $0 != "\n" })") }
    } else if tier.cpuQuotaPerSec != nil {
      // Without a limit the slice may have no CPU controller, and then there is no such file.
      wrong.append("cpu.max cannot be read")
    }
    return wrong
  }
}
