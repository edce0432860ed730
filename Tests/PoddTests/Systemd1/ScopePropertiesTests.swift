import CSystemd
import Glibc
import PodModel
import Testing

@testable import PoddCore
@testable import Systemd

@Suite struct ScopePropertiesTests {
  @Test func theSliceOfATierIsSystemdsChildOfPodsSlice() {
    #expect(ControlGroup.slice(ofTier: "free") == "pods-free.slice")
  }

  /// A message that never leaves the process: sd-bus only needs a connection to make one.
  private func emptyMessage() throws -> Message {
    var ends: [CInt] = [0, 0]
    try #require(
      socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    defer { close(ends[1]) }
    var bus: OpaquePointer?
    try #require(sd_bus_new(&bus) >= 0)
    defer { sd_bus_unref(bus) }
    try #require(sd_bus_set_fd(bus, ends[0], ends[0]) >= 0)
    try #require(sd_bus_start(bus) >= 0)
    var raw: OpaquePointer?
    try #require(sd_bus_message_new_signal(bus, &raw, "/test", "org.podctl1.Test", "Test") >= 0)
    return Message(owning: try #require(raw))
  }

  private func properties(_ tier: Tier, _ workload: Workload, pid: UInt32 = 4242) -> ScopeProperties {
    ScopeProperties(
      unit: "pod-001-3.scope", pid: pid, description: "podctl free pod pod-001, generation 3", tier: tier,
      workload: workload, frontAddress: "127.76.0.1")
  }

  private func names(_ tier: Tier, _ workload: Workload) throws -> [String] {
    let message = try emptyMessage()
    try properties(tier, workload).append(to: message)
    try #require(sd_bus_message_seal(message.raw, 1, 0) >= 0)
    #expect(message.signature == "a(sv)")
    var names: [String] = []
    try message.readArray(of: "(sv)") { () throws(BusError) in
      _ = try message.enterContainer(.structure, "sv")
      names.append(try message.readString())
      try message.skip("v")
      try message.exitContainer()
    }
    return names
  }

  /// systemd refuses the whole call for a property that it does not know (facts 9): a new one has to be in systemd 252.
  @Test func theyAreTheOnesThatSystemd252Knows() throws {
    #expect(
      try names(Tier(name: "free"), Workload(name: "app")) == [
        "Description", "Slice", "PIDs", "AddRef", "CollectMode", "Before", "TimeoutStopUSec", "KillSignal",
        "OOMPolicy", "MemoryAccounting", "TasksAccounting", "MemoryMax", "MemoryHigh", "MemorySwapMax",
        "CPUQuotaPerSecUSec", "TasksMax", "IPAddressDeny", "IPAddressAllow",
      ])
    var tier = Tier(name: "pro")
    tier.memoryLow = 1 << 20
    tier.memoryMin = 1 << 20
    tier.cpuWeight = 200
    tier.ioWeight = 200
    let more = Set(try names(tier, Workload(name: "app")))
    #expect(
      more.isSuperset(of: ["MemoryLow", "MemoryMin", "ManagedOOMPreference", "CPUWeight", "IOWeight"]))
  }

  /// PID 0 would mean podd itself (facts 2).
  @Test(arguments: [0, 1]) func aScopeHasAProcessOfItsOwn(pid: UInt32) throws {
    let message = try emptyMessage()
    #expect(throws: BusError.self) {
      try properties(Tier(name: "free"), Workload(name: "app"), pid: pid).append(to: message)
    }
  }
}
