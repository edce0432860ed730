import PodAPI
import Testing
import Time

@testable import PoddCore

/// When polkit need not be asked.
struct GrantsTests {
  private let start = LoopTime(sinceBoot: .seconds(1))

  @Test func aFrontDoorsGrantHoldsForAWhileAndForItsConnectionAlone() {
    var grants = Grants()
    #expect(!grants.hold(":1.7", .frontDoor, at: start))
    grants.add(":1.7", .frontDoor, at: start)
    #expect(grants.hold(":1.7", .frontDoor, at: start + Grants.lifetime - .milliseconds(1)))
    #expect(!grants.hold(":1.7", .frontDoor, at: start + Grants.lifetime))
    #expect(!grants.hold(":1.8", .frontDoor, at: start))
    #expect(!grants.hold(":1.7", .metrics, at: start))
  }

  @Test(arguments: PolkitAction.allCases.filter { $0 != .frontDoor })
  func polkitIsAskedForEveryOtherCall(action: PolkitAction) {
    var grants = Grants()
    grants.add(":1.7", action, at: start)
    #expect(!grants.hold(":1.7", action, at: start))
  }

  @Test func manyConnectionsTakeNoMemory() {
    var grants = Grants()
    for number in 0..<Grants.mostKept { grants.add(":1.\(number)", .frontDoor, at: start) }
    grants.add(":1.one-more", .frontDoor, at: start)
    #expect(!grants.hold(":1.one-more", .frontDoor, at: start))
    #expect(grants.hold(":1.0", .frontDoor, at: start))
    let later = start + Grants.lifetime
    grants.add(":1.one-more", .frontDoor, at: later)
    #expect(grants.hold(":1.one-more", .frontDoor, at: later))
  }
}
