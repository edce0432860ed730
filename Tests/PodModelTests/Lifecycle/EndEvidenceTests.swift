import PodModel
import Testing

@Suite struct EndEvidenceTests {
  @Test func everyReasonHasAKindWithoutItsNumbersAndNames() {
    let reasons: [EndReason] = [
      .exited(3), .signal("SEGV"), .oomOwnLimit, .oomBystander, .oomd, .leak, .pressure, .health,
      .startTimeout,
      .launchFailed(stage: .exec, error: "ENOENT"), .operator, .idle, .unknownAdopted,
    ]
    #expect(reasons.map(\.kind) == EndReason.kinds)
  }

  private func reason(
    exit: EndEvidence.Exit? = nil, kills: UInt64 = 0, ownLimit: UInt64 = 0, result: String? = nil
  ) -> EndReason {
    var evidence = EndEvidence()
    evidence.exit = exit
    evidence.oomKills = kills
    evidence.ownLimitOOMs = ownLimit
    evidence.unitResult = result
    return evidence.reason
  }

  @Test func anExitStatusOrASignalIsTheReason() {
    #expect(reason(exit: .exited(0)) == .exited(0))
    #expect(reason(exit: .exited(254)) == .exited(254))
    #expect(reason(exit: .signal("SEGV")) == .signal("SEGV"))
  }

  @Test func anOOMKillOutranksTheSignalItWasDoneWith() {
    #expect(reason(exit: .signal("KILL"), kills: 1, ownLimit: 1) == .oomOwnLimit)
  }

  @Test func aKillWithoutTheOwnLimitBeingReachedIsTheHosts() {
    #expect(reason(exit: .signal("KILL"), kills: 2) == .oomBystander)
  }

  @Test func reachingTheLimitAloneIsNoKill() {
    #expect(reason(exit: .exited(1), ownLimit: 5) == .exited(1))
  }

  @Test func systemdsWordCountsWhenTheCountersAreGone() {
    #expect(reason(exit: .signal("KILL"), result: "oom-kill") == .oomOwnLimit)
    #expect(reason(result: "oom-kill") == .oomOwnLimit)
    #expect(reason(kills: 1, result: "oom-kill") == .oomBystander)
  }

  @Test func theSliceSaysWhoseLimitItWasWhenTheCountersAreGone() {
    var evidence = EndEvidence()
    evidence.exit = .signal("KILL")
    evidence.unitResult = "oom-kill"
    evidence.countersAreLost = true
    evidence.ownLimitInSlice = true
    #expect(evidence.reason == .oomOwnLimit)
    evidence.ownLimitInSlice = false
    #expect(evidence.reason == .oomBystander)
    evidence.unitResult = "success"
    evidence.killedInSlice = true
    #expect(evidence.reason == .signal("KILL"))
    // The bus is away.
    evidence.unitResult = nil
    #expect(evidence.reason == .oomBystander)
    evidence.killedInSlice = false
    #expect(evidence.reason == .signal("KILL"))
  }

  @Test func whatSystemdOomdChoseIsItsKillWhateverElseIsSeen() {
    var evidence = EndEvidence()
    evidence.exit = .signal("KILL")
    evidence.oomdKills = 1
    evidence.unitResult = "oom-kill"
    #expect(evidence.reason == .oomd)
    #expect(EndReason("oomd") == .oomd && EndReason.oomd.alert == .oom && !EndReason.oomd.isWanted)
    #expect(evidence.sentence?.contains("systemd-oomd") ?? false)
  }

  @Test func withoutAnyEvidenceTheEndWasNotSeen() {
    #expect(reason() == .unknownAdopted)
    #expect(reason(result: "success") == .unknownAdopted)
  }

  @Test func anEndThatNobodySawIsOfTheStopThatHadBegun() {
    #expect(EndEvidence().reason(stoppedFor: .leak) == .leak)
    #expect(EndEvidence().reason(stoppedFor: nil) == .unknownAdopted)
    var evidence = EndEvidence()
    evidence.exit = .signal("SEGV")
    #expect(evidence.reason(stoppedFor: .leak) == .signal("SEGV"))
  }

  @Test func everyReasonReadsBackAsItPrints() {
    let reasons: [EndReason] = [
      .exited(0), .exited(-1), .signal("KILL"), .signal("34"), .oomOwnLimit, .oomBystander, .leak, .pressure,
      .health, .startTimeout, .launchFailed(stage: .exec, error: "ENOENT"), .operator, .idle,
      .unknownAdopted,
    ]
    for reason in reasons { #expect(EndReason(reason.description) == reason, "\(reason)") }
    for text in ["", "exited", "exited:x", "exited:1:2", "launch-failed:exec", "OOM-own-limit", "signal"] {
      #expect(EndReason(text) == nil, "\(text)")
    }
  }
}
