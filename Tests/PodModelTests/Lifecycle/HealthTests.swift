import PodModel
import Testing
import Time

@Suite struct HealthTests {
  private func connection(_ port: UInt16, inode: UInt32 = 7, delivered: UInt64 = 0) -> PodConnection {
    PodConnection(inode: inode, remotePort: port, delivered: delivered)
  }

  private func note(_ health: inout Health, _ answer: Health.Answer, limit: Int) -> Bool {
    health.note(answer, limit: limit)
  }

  @Test func onlyFailuresInARowCount() {
    var health = Health()
    for _ in 0..<10 {
      #expect(!note(&health, .silent("refused"), limit: 3))
      #expect(!note(&health, .silent("refused"), limit: 3))
      #expect(!note(&health, .alive, limit: 3))
    }
    #expect(!note(&health, .silent("a"), limit: 3))
    #expect(!note(&health, .silent("b"), limit: 3))
    #expect(note(&health, .silent("c"), limit: 3))
    #expect(health.lastError == "c")
  }

  @Test func whatCouldNotBeAskedSaysNothing() {
    var health = Health()
    #expect(!note(&health, .silent("refused"), limit: 2))
    for _ in 0..<100 { #expect(!note(&health, .unasked("no source port"), limit: 2)) }
    #expect(health.failures == 1 && health.lastError == "no source port")
    #expect(note(&health, .silent("refused"), limit: 2))
    #expect(!note(&health, .unasked("no source port"), limit: 2))
  }

  @Test func slownessIsNoFailure() {
    var health = Health()
    for _ in 0..<100 { #expect(!note(&health, .slow, limit: 1)) }
  }

  @Test func aHungProgramMakesNoProgress() {
    let waiting = (1...5).map { connection($0, inode: 0) }
    let accepted = [connection(9, delivered: 100)]
    #expect(!PodConnection.progress(from: waiting + accepted, to: waiting + accepted, besides: 100))
    // More come, and some give up while they wait in the queue.
    let later = waiting.dropFirst(2) + accepted + [connection(6, inode: 0)]
    #expect(!PodConnection.progress(from: waiting + accepted, to: Array(later), besides: 100))
    // podd's own question is accepted by nobody else's doing.
    #expect(!PodConnection.progress(from: [], to: [connection(100)], besides: 100))
    #expect(!PodConnection.progress(from: [connection(100)], to: [], besides: 100))
  }

  @Test func aSlowOneDoes() {
    let busy = connection(9)
    #expect(PodConnection.progress(from: [busy], to: [connection(9, delivered: 1)], besides: 100))
    #expect(PodConnection.progress(from: [busy], to: [], besides: 100))
    #expect(PodConnection.progress(from: [connection(1, inode: 0)], to: [connection(1)], besides: 100))
    #expect(PodConnection.progress(from: [], to: [connection(2)], besides: 100))
  }

  @Test func theFirstQuestionsSpreadOverOnePeriod() {
    #expect(Health.pause(period: .seconds(10), random: 0, isFirst: true) == .seconds(1))
    #expect(Health.pause(period: .seconds(10), random: 1, isFirst: true) == .seconds(10))
    #expect(Health.pause(period: .seconds(10), random: 0, isFirst: false) == .seconds(9))
    #expect(Health.pause(period: .seconds(10), random: 1, isFirst: false) == .seconds(11))
  }
}
