import Foundation
import PodModel
import Testing
import Time
import TimeLiterals

/// The table of calls in docs/lifecycle.md is the code.
@Suite struct AdmissionTests {
  private static func describe(_ admission: Admission) -> String {
    switch admission {
    case .act: "act"
    case .nothingToDo: "nothing to do"
    case .refused(.stopped): "refused: stopped"
    case .refused(.startLimitHit): "refused: start limit hit"
    case .refused(.notReady): "refused: not ready"
    case .refused(.nothingRuns): "refused: nothing runs"
    }
  }

  @Test func theDocumentedTableIsTheCode() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../../docs/lifecycle.md")
    let text = try String(contentsOf: file, encoding: .utf8)
    let header = "| call | " + PodState.allCases.map(\.rawValue).joined(separator: " | ") + " |"
    let table = text.split(separator: "\n").drop { $0 != header }
    #expect(table.count == Admission.Verb.allCases.count + 2)
    for verb in Admission.Verb.allCases {
      let cells = PodState.allCases.map { Self.describe(Admission(verb, in: $0)) }
      let row = "| \(verb.rawValue) | " + cells.joined(separator: " | ") + " |"
      #expect(table.contains { $0 == row }, "docs/lifecycle.md lacks \(row)")
    }
  }

  /// What is not done must be what the machine would not have done either, or what must not be done.
  @Test func nothingToDoMeansThatTheMachineWouldDoNothing() {
    for (name, pod) in LifecycleTableTests.situations {
      let events: [(Admission.Verb, Lifecycle.Event)] = [
        (.start, .start), (.reset, .reset), (.serve, .start),
      ]
      for (verb, event) in events where Admission(verb, in: pod.state) == .nothingToDo {
        var after = pod
        #expect(
          after.handle(event, now: 1_000, random: 0, policy: Lifecycle.Policy()).isEmpty && after == pod,
          "\(name) × \(verb)")
      }
    }
  }
}
