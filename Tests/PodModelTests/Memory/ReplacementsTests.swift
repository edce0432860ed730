import PodModel
import Testing
import Time
import TimeLiterals

@Suite struct ReplacementsTests {
  private let serving = Replacements.Pod(state: .ready, isBeingReplaced: false, hasOther: false)
  private let names = (1...4).map(PodName.init(number:))

  private func hindrance(
    _ replacements: inout Replacements, _ number: Int = 1, canLaunch: Bool = true, launchesMax: Int = 4,
    pods: [Int: Replacements.Pod] = [:]
  ) -> Replacements.Hindrance? {
    replacements.hindrance(
      of: PodName(number: number), canLaunch: { canLaunch }, launchesMax: launchesMax
    ) { pods[$0.number] ?? serving }
  }

  @Test func `a pod that serves can be replaced`() {
    var replacements = Replacements()
    #expect(hindrance(&replacements) == nil)
  }

  @Test func `a pod that does not serve, or is being replaced, cannot be replaced`() {
    var replacements = Replacements()
    for state in PodState.allCases where state != .ready {
      let pod = Replacements.Pod(state: state, isBeingReplaced: false, hasOther: false)
      #expect(hindrance(&replacements, pods: [1: pod]) == .replacedAlready)
    }
    let replaced = Replacements.Pod(state: .ready, isBeingReplaced: true, hasOther: true)
    #expect(hindrance(&replacements, pods: [1: replaced]) == .replacedAlready)
  }

  @Test func `a pod whose next generation could not be launched is left alone`() {
    var replacements = Replacements()
    #expect(hindrance(&replacements, canLaunch: false) == .noSettings)
  }

  @Test func `half of the launches may be used, and at least one`() {
    var replacements = Replacements()
    let restarting = Replacements.Pod(state: .starting, isBeingReplaced: false, hasOther: false)
    replacements.begin(names[1])
    #expect(hindrance(&replacements, launchesMax: 4, pods: [2: restarting]) == nil)
    #expect(hindrance(&replacements, launchesMax: 1, pods: [2: restarting]) == .others(1))
    replacements.begin(names[2])
    #expect(hindrance(&replacements, launchesMax: 4, pods: [2: restarting, 3: restarting]) == .others(2))
  }

  @Test func `a replacement is under way until one generation is left`() {
    let states: [(Replacements.Pod, isUnderWay: Bool)] = [
      (.init(state: .ready, isBeingReplaced: true, hasOther: true), true),
      (.init(state: .ready, isBeingReplaced: false, hasOther: true), true),
      (.init(state: .draining, isBeingReplaced: false, hasOther: false), true),
      (.init(state: .stopping, isBeingReplaced: false, hasOther: false), true),
      (.init(state: .starting, isBeingReplaced: false, hasOther: false), true),
      (.init(state: .ready, isBeingReplaced: false, hasOther: false), false),
      (.init(state: .frozen, isBeingReplaced: false, hasOther: false), false),
      (.init(state: .backoff, isBeingReplaced: false, hasOther: false), false),
      (.init(state: .cold, isBeingReplaced: false, hasOther: false), false),
    ]
    for (state, isUnderWay) in states {
      var replacements = Replacements()
      replacements.begin(names[1])
      let found = hindrance(&replacements, launchesMax: 1, pods: [2: state])
      #expect(found == (isUnderWay ? .others(1) : nil), "\(state)")
    }
  }

  @Test func `a pod that is gone is not counted`() {
    var replacements = Replacements()
    replacements.begin(names[1])
    let found = replacements.hindrance(of: names[0], canLaunch: { true }, launchesMax: 1) { name in
      name == names[0] ? serving : nil
    }
    #expect(found == nil)
  }

  @Test func `each hindrance has its clause`() {
    #expect(Replacements.Hindrance.replacedAlready.clause == "it is being replaced already")
    #expect(
      Replacements.Hindrance.noSettings.clause
        == "its settings do not parse, so no next generation could be launched")
    #expect(Replacements.Hindrance.others(3).clause == "3 others are being replaced")
  }

  @Test func `the pause is five minutes, then twice as long each time, and at most an hour`() {
    var pause = ReplacementPause()
    var now: LoopTime = 7
    #expect(pause.isOver(at: now))
    for minutes: UInt64 in [5, 10, 20, 40, 60, 60] {
      pause.begin(at: now)
      #expect(!pause.isOver(at: now + .minutes(minutes) - 1))
      now += .minutes(minutes)
      #expect(pause.isOver(at: now))
    }
  }
}
