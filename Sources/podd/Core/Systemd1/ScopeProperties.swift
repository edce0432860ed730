import PodModel
import Systemd
import Time

/// The properties of a pod's transient scope (systemd.scope(5), systemd.resource-control(5)).
///
/// PIDs, TimeoutStopUSec, OOMPolicy and KillSignal can be set at creation only (facts 9).
struct ScopeProperties {
  let unit: String
  let pid: UInt32
  let description: String
  let tier: Tier
  let workload: Workload
  /// The only address with which the pod may communicate, apart from those that its workload file opens.
  let frontAddress: String

  /// Appends `a(sv)`. systemd refuses the whole call for one unknown property (facts 9), so everything
  /// here exists in systemd 252 already.
  func append(to call: borrowing Message) throws(BusError) {
    // PID 0 would mean podd itself (facts 2).
    guard pid > 1 else {
      throw BusError(name: "System.Error.EINVAL", message: "\(unit): no process to put into the scope")
    }
    try call.openContainer(.array, "(sv)")
    try string(call, "Description", description)
    try string(call, "Slice", ControlGroup.slice(ofTier: tier.name))
    try property(call, "PIDs", "au") { () throws(BusError) in
      try call.openContainer(.array, "u")
      try call.append(pid)
      try call.closeContainer()
    }
    try boolean(call, "AddRef", true)
    try string(call, "CollectMode", "inactive-or-failed")
    // At shutdown podd stops before the pods do, so it cannot mistake their end for a crash (decision 0008).
    try property(call, "Before", "as") { () throws(BusError) in
      try call.openContainer(.array, "s")
      try call.append("pods.target")
      try call.closeContainer()
    }
    try number(call, "TimeoutStopUSec", workload.timeoutStop.count)
    try property(call, "KillSignal", "i") { () throws(BusError) in try call.append(workload.killSignal) }
    // An OOM kill ends the whole scope at once: a pod that has lost some process is of no use (facts 6).
    try string(call, "OOMPolicy", "kill")

    try boolean(call, "MemoryAccounting", true)
    try boolean(call, "TasksAccounting", true)
    try number(call, "MemoryMax", tier.memoryMax ?? .max)
    try number(call, "MemoryHigh", tier.memoryHigh ?? .max)
    try number(call, "MemorySwapMax", tier.memorySwapMax ?? .max)
    if tier.memoryLow > 0 { try number(call, "MemoryLow", tier.memoryLow) }
    if tier.memoryMin > 0 { try number(call, "MemoryMin", tier.memoryMin) }
    // systemd-oomd prefers other victims.
    if tier.memoryLow > 0 || tier.memoryMin > 0 { try string(call, "ManagedOOMPreference", "avoid") }
    try number(call, "CPUQuotaPerSecUSec", (tier.cpuQuotaPerSec ?? .infinity).count)
    if let weight = tier.cpuWeight { try number(call, "CPUWeight", weight) }
    if let weight = tier.ioWeight { try number(call, "IOWeight", weight) }
    try number(call, "TasksMax", tier.tasksMax ?? .max)

    try addresses(call, "IPAddressDeny", ["any"])
    try addresses(call, "IPAddressAllow", [frontAddress] + workload.ipAddressAllow)
    try call.closeContainer()
  }

  private func property(
    _ call: borrowing Message, _ name: String, _ type: String, _ value: () throws(BusError) -> Void
  ) throws(BusError) {
    try call.openContainer(.structure, "sv")
    try call.append(name)
    try call.openContainer(.variant, type)
    try value()
    try call.closeContainer()
    try call.closeContainer()
  }

  private func string(_ call: borrowing Message, _ name: String, _ value: String) throws(BusError) {
    try property(call, name, "s") { () throws(BusError) in try call.append(value) }
  }

  private func number(_ call: borrowing Message, _ name: String, _ value: UInt64) throws(BusError) {
    try property(call, name, "t") { () throws(BusError) in try call.append(value) }
  }

  private func boolean(_ call: borrowing Message, _ name: String, _ value: Bool) throws(BusError) {
    try property(call, name, "b") { () throws(BusError) in try call.append(value) }
  }

  private func addresses(
    _ call: borrowing Message, _ name: String, _ words: [String]
  ) throws(BusError) {
    try property(call, name, "a(iayu)") { () throws(BusError) in
      try call.openContainer(.array, "(iayu)")
      for prefix in words.flatMap(Self.prefixes) {
        try call.openContainer(.structure, "iayu")
        try call.append(prefix.family.rawValue)
        try call.append(bytes: prefix.address)
        try call.append(UInt32(prefix.length))
        try call.closeContainer()
      }
      try call.closeContainer()
    }
  }

  /// The settings parser has refused malformed words, so a word that cannot be read here opens nothing.
  private static func prefixes(_ word: String) -> [IPPrefix] {
    (try? IPPrefix.expand(word)) ?? []
  }
}
