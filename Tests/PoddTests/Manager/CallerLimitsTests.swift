import LoopThread
import PodAPI
import Systemd
import Testing
import Time

@testable import PoddCore

/// What one caller may take from the others.
@Suite(.timeLimit(.minutes(10))) struct CallerLimitsTests {
  @Test func oneUserCannotTakeTheCallsOfAnother() async throws {
    try await onLoop {
      let limits = CallLimits()
      for _ in 0..<CallLimits.ofOneUser { try limits.begin(1000) }
      let refused = #expect(throws: BusError.self) { try limits.begin(1000) }
      #expect(refused?.name == "org.freedesktop.DBus.Error.LimitsExceeded")
      try limits.begin(1001)
      limits.end(1000)
      try limits.begin(1000)
    }
  }

  @Test func allUsersTogetherLeaveRootItsCalls() async throws {
    try await onLoop {
      let limits = CallLimits()
      for uid in 0..<UInt32(CallLimits.ofUsers) { try limits.begin(1000 + uid) }
      #expect(throws: BusError.self) { try limits.begin(5000) }
      try limits.begin(0)
    }
  }

  @Test func theFrontDoorHasAPlaceWhateverOthersDo() async throws {
    try await onLoop {
      let limits = CallLimits()
      for uid in 0..<UInt32(CallLimits.ofUsers) { try limits.begin(1000 + uid) }
      limits.frontDoor = 990
      for _ in 0..<CallLimits.ofOneUser { try limits.begin(990) }
      #expect(throws: BusError.self) { try limits.begin(990) }
      #expect(throws: BusError.self) { try limits.begin(5000) }
      limits.end(1000)
      try limits.begin(5000)
    }
  }

  @Test func callsWhoseCallerIsUnknownAreBoundedToo() async throws {
    try await onLoop {
      let limits = CallLimits()
      for _ in 0..<CallLimits.ofUnknown { try limits.arrived() }
      let refused = #expect(throws: BusError.self) { try limits.arrived() }
      #expect(refused?.isLimit == true)
      limits.isKnown()
      try limits.arrived()
    }
  }

  @Test func aDeniedCallerHasOneEntryInATimeThatCountsTheOthers() {
    var denials = Denials()
    let start = LoopTime(sinceBoot: .seconds(100))
    #expect(denials.count(1000, .view, at: start) == 0)
    for _ in 0..<5 { #expect(denials.count(1000, .view, at: start + .seconds(1)) == nil) }
    #expect(denials.count(1000, .provision, at: start + .seconds(1)) == 0)
    #expect(denials.count(1001, .view, at: start + .seconds(1)) == 0)
    #expect(denials.count(1000, .view, at: start + Denials.interval) == 5)
  }

  @Test func noNumberOfUsersMakesTheDenialsGrow() {
    var denials = Denials()
    let start = LoopTime(sinceBoot: .seconds(100))
    let written = (0..<1000).filter { denials.count($0, .view, at: start) != nil }
    #expect(written.count == Denials.mostKept)
    #expect(denials.count(2000, .view, at: start + Denials.interval) == 0)
  }
}
