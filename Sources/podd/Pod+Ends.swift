import Glibc
import PodModel
import PodStore
import Systemd

/// How a generation ends, whoever ended it, and what is recorded of it.
extension Pod {
  func stopScope() {
    guard let generation else {
      // Still being launched: the held process goes, and the launch fails.
      held?.cancel()
      return
    }
    guard !stopping else { return }
    stopping = true
    loopTask { await self.stop(generation) }
  }

  func stop(_ generation: Generation) async {
    do throws(BusError) {
      let result = try await host.systemd.stopUnit(generation.unit.description)
      if result != "done" { Log.warning("\(generation.unit): stop job ended with '\(result)'") }
    } catch {
      // The bus is away: what systemd would do, by hand.
      Log.warning(
        "\(generation.unit): cannot ask systemd to stop it (\(error.message)), signalling it directly")
      generation.signal(workload?.killSignal ?? SIGTERM)
      let deadline = EventLoop.main.now() + (workload?.timeoutStopUSec ?? 90_000_000)
      while generation.isPopulated && EventLoop.main.now() < deadline { await EventLoop.main.sleep(100_000) }
    }
    if generation.isPopulated { generation.killCgroup() }
  }

  func mainProcessEnded(_ ended: Generation) {
    guard generation === ended else { return }
    let evidence = ended.evidence()
    loopTask { await self.clearUp(ended, evidence) }
  }

  /// Nothing survives its scope: what the main process left behind is stopped with it.
  func clearUp(_ ended: Generation, _ evidence: EndEvidence) async {
    var evidence = evidence
    let unit = ended.unit.description
    if evidence.exit == nil || evidence.oomKills > 0 {
      // podd was not the parent, so systemd's word is the best there is.
      evidence.unitResult = try? await host.systemd.result(ofScope: unit)
    }
    if ended.isPopulated { await stop(ended) }
    // What was killed may still be on its way out, at worst in an uninterruptible sleep.
    var pause: UInt64 = 1_000
    while ended.isPopulated {
      await EventLoop.main.sleep(pause)
      pause = min(pause * 2, 1_000_000)
    }
    try? await host.systemd.unreferenceUnit(unit)
    ScopeJournalFields.withdraw(ended.unit)
    guard generation === ended else { return }
    host.firewall.close(name)
    generation = nil
    stopping = false
    sample = nil
    lastEvidence = evidence
    handle(.ended(evidence.reason))
  }

  func recordEnd(_ reason: EndReason) {
    guard let unit = openUnit else { return }
    openUnit = nil
    record.lastExitReason = reason
    let evidence = lastEvidence?.json
    let now = Int64(realtimeNow())
    Log.event(
      .podEnded, "\(unit) ended: \(reason).", priority: reason == .operator ? .info : .warning,
      journalFields + [("POD_REASON", reason.description), ("POD_UNIT", unit.description)])
    host.write("the end of \(unit)") { store throws(StoreError) in
      try store.endGeneration(unit, reason: reason, evidence: evidence, now: now)
    }
    lastEvidence = nil
  }
}
