import PodAPI
import PodModel
import Systemd
import Testing
import Time
import TimeLiterals

/// What each body writes has the signature that it declares, and is read back to its last argument.
@Suite struct MessageBodyTests {
  private func survives<Body: MessageBody & Equatable>(_ body: Body) throws {
    let message = try sealedMessage(body)
    #expect(message.signature == Body.signature, "\(Body.self)")
    #expect(try Body(reading: message) == body)
    #expect(throws: BusError.self, "\(Body.self) leaves an argument unread") { try message.readString() }
  }

  @Test func callsSurviveTheBus() throws {
    try survives(ProvisionCall(user: "alice@example.com", tier: "free", cold: true))
    try survives(ProvisionCall(user: "../x", tier: nil, cold: false))
    try survives(DeprovisionCall(user: "alice@example.com", purge: true))
    try survives(UserCall(user: "alice@example.com"))
    try survives(PodCall(pod: "pod-001"))
    try survives(PlanCall(pod: "pod-001", dryRun: true))
    try survives(HistoryCall(pod: "pod-001", since: 1, until: .never, limit: 4096))
    try survives(RolloutCall(RolloutRequest(tier: "free", maxParallel: 3, healthy: 0, mode: .revert)))
    try survives(HoldCall(hold: 7))
    try survives(RequestRecord(source: "192.0.2.1:4000", request: "GET /api/admin/users"))
    try survives(ClientPeers(peers: ["192.0.2.1:4000", "[2001:db8::1]:4001"]))
  }

  @Test func aReportOfUseSurvivesTheBusUnlessItIsTooLong() throws {
    let (alice, pod) = (LastUseRow(user: "alice", at: 5), RequestsRow(pod: "pod-001", requests: 7))
    try survives(UseReport(users: [], pods: []))
    try survives(UseReport(users: Array(repeating: alice, count: UseReport.mostRows), pods: [pod, pod]))
    try survives([alice])
    for report in [
      UseReport(users: Array(repeating: alice, count: UseReport.mostRows + 1), pods: []),
      UseReport(users: [], pods: Array(repeating: pod, count: UseReport.mostRows + 1)),
    ] {
      let message = try sealedMessage(report)
      let refused = #expect(throws: BusError.self) { try UseReport(reading: message) }
      #expect(refused?.name == "org.freedesktop.DBus.Error.InvalidArgs")
    }
  }

  @Test func countedRequestsSurviveTheBusUnlessTheyHaveOtherBuckets() throws {
    var counts = RequestCounts()
    counts.add(3)
    counts.add(latency: .milliseconds(7))
    let row = RequestCountsRow(pod: "pod-001", counts: counts)
    try survives(RequestsReport(pods: []))
    try survives(RequestsReport(pods: Array(repeating: row, count: RequestsReport.mostRows)))
    try survives(CountedRequests(until: .zero + .seconds(9), pods: [row]))
    try survives(CountedRequests(until: nil, pods: []))
    let tooLong = try sealedMessage(
      RequestsReport(pods: Array(repeating: row, count: RequestsReport.mostRows + 1)))
    #expect(throws: BusError.self) { try RequestsReport(reading: tooLong) }
    for buckets in [0, RequestCounts.bounds.count, RequestCounts.bounds.count + 2] {
      let message = try sealedMessage(OtherBuckets(number: buckets))
      let refused = #expect(throws: BusError.self) { try RequestsReport(reading: message) }
      #expect(refused?.name == "org.freedesktop.DBus.Error.InvalidArgs", "\(buckets)")
    }
  }

  /// The report of a front door that divides latencies in another way.
  private struct OtherBuckets: MessageBody {
    static let signature = RequestsReport.signature
    let number: Int

    init(number: Int) { self.number = number }
    init(reading message: borrowing Message) throws(BusError) { number = 0 }
    func append(to message: borrowing Message) throws(BusError) {
      try message.openContainer(.array, "(stat)")
      try message.openContainer(.structure, "stat")
      try message.append("pod-001")
      try message.append(UInt64(1))
      try message.openContainer(.array, "t")
      for _ in 0..<number { try message.append(UInt64(0)) }
      for _ in 1...3 { try message.closeContainer() }
    }
  }

  @Test func repliesSurviveTheBus() throws {
    try survives(
      Placement(
        user: "a", tier: "free", pod: "pod-001", unit: nil, address: "127.77.0.1",
        frontAddress: "127.76.0.1", port: 10001, state: "cold", created: true))
    try survives(StateReply(state: "ready"))
    try survives(StatusReply(status: "suspended"))
    try survives(ClientPeers(peers: ["192.0.2.1:4000"]))
    var user = ResolvedUser(
      user: "a", status: "active", pod: "pod-001", state: "cold", address: "127.77.0.1",
      frontAddress: "127.76.0.1", port: 10001, token: "secret", tier: "free", dataBytes: 0, dataMax: 1 << 20)
    try survives(user)
    user.token = nil
    user.dataBytes = nil
    user.requestCount = 100
    user.requestInterval = .minutes(1)
    user.requestBurst = 20
    user.connectionsMax = 64
    user.reservedPaths = ["/admin", "/reload"]
    try survives(user)
    try survives(PlanReply(state: "ready", plan: "pod-001-1.scope finishes its requests"))
    try survives(RolloutResult(replaced: 3, total: 4))
    try survives(Violations(["pod-001 runs twice", ""]))
    try survives([UserRow(user: "a", tier: "pro", pod: nil, state: nil, dataBytes: 0, status: "deleted")])
    try survives([UserRow]())
  }

  @Test func metricsSurviveTheBus() throws {
    try survives(HostMetrics(version: "0.2", startedAt: 5))
    try survives(HostMetrics.example)
    try survives(MetricsReply(.example, MetricsTests.pods))
  }

  @Test func rowsSurviveTheBus() throws {
    var pod = PodRow(
      pod: "pod-001", tier: "free", state: "ready", address: "127.77.0.1", frontAddress: "127.76.0.1",
      port: 10001)
    try survives([pod])
    pod.unit = "pod-001-3.scope"
    pod.mainPID = 4242
    pod.memoryMax = 100_663_296
    pod.lastExitReason = "signal:SEGV"
    pod.since = .epoch + .seconds(1)
    try survives([pod, pod])
    var tier = TierRow(tier: "free", usersPerPod: 20, workload: "podserve", pods: 1, users: 2)
    tier.memoryHigh = 1 << 26
    try survives([tier])
    var usage = UsageRow(pod: "pod-001", tier: "free", state: "ready")
    try survives([usage])
    usage.pressure = 125
    usage.readAt = 5
    try survives([usage])
    try survives([
      MemoryMinute(
        minute: 27_000_000, generation: 3, anon: 1, swap: 2, file: 3, current: 4, currentMax: 5,
        activeUsers: 6, stalledSome: 7, stalledFull: 8, cpu: 9)
    ])
  }

  @Test func signalsSurviveTheBus() throws {
    try survives(StateChange(pod: "pod-001", state: "ready", generation: 3, reason: "stop:idle"))
    try survives(StateChange(pod: "pod-001", state: "cold", generation: 0, reason: nil))
    try survives(RolloutProgress(tier: "free", done: 1, total: 2, pod: "pod-001", state: "ready"))
    try survives(HoldRequest(pod: "pod-001", hold: 7, timeout: .seconds(1)))
    try survives(HoldRelease(pod: "pod-001", hold: 7))
    try survives(UserChange(user: "a", status: "suspended", pod: "pod-001"))
    try survives(UserChange(user: "a", status: "deleted", pod: nil))
  }

  @Test func aCallWithTooManyPeersIsNotRead() throws {
    let peers = Array(repeating: "192.0.2.1:4000", count: ClientPeers.mostPeers + 1)
    let message = try sealedMessage(ClientPeers(peers: peers))
    let refused = #expect(throws: BusError.self) { try ClientPeers(reading: message) }
    #expect(refused?.name == "org.freedesktop.DBus.Error.InvalidArgs")
  }

  @Test func propertiesAndNothingHaveTheirSignatures() throws {
    let properties = try sealedMessage(Properties([("Pod", .string("pod-001")), ("Users", .uint(2))]))
    #expect(properties.signature == Properties.signature)
    #expect(try Properties(reading: properties).uint("Users") == 2)
    let empty = try sealedMessage(Nothing())
    #expect(empty.signature == "")
  }

  @Test func aCallIsAboutItsUserPodOrTier() {
    #expect(ProvisionCall(user: "a", tier: "pro", cold: false).subject == "a")
    #expect(PlanCall(pod: "pod-001", dryRun: true).subject == "pod-001")
    #expect(RolloutCall(RolloutRequest(tier: "free")).subject == "free")
    #expect(HoldCall(hold: 7).subject == "")
    #expect(Nothing().subject == "")
  }

  @Test func aRolloutSurvivesItsCall() throws {
    for request in [
      RolloutRequest(tier: "free"),
      RolloutRequest(tier: "free", maxParallel: 5, healthy: 0, mode: .resume),
    ] {
      #expect(RolloutCall(request).request == request)
    }
    var call = RolloutCall(RolloutRequest(tier: "free"))
    call.mode = "again"
    #expect(call.request == nil)
  }
}
