import PodModel
import Seeded
import Time

/// How often what happens in one world. Faults get in each other's way: where podd dies every few steps no handover is
/// ever completed, and where it never dies nothing is taken over. So every world draws its own.
struct Odds {
  /// podd dies after an effect, so many times out of a thousand; twice as often after a write to the disk.
  let deaths: Int
  /// A step of a launch fails; percent.
  let launchFailures: Int
  /// Whether the disk is full at times.
  let diskFills: Bool
  /// How many users there are.
  let users: Int
  /// Whether two generations of every pod may overlap, as long as no workload file is changed.
  let allOverlap: Bool
  /// Of what somebody wants so much is a restart; percent.
  let restarts: Int
  /// Time passes in long pauses now and then, and not only in steps that a crash loop or a handover has room in; percent.
  let longPauses: Int
  /// A program that does something comes to its end, about 28 times out of so many.
  let lifetimes: Int
  /// A program that does something begins another process; percent.
  let children: Int
  /// When idle pods sleep.
  let idle: IdlePolicy
  /// A program that was told to stop does something about it; percent.
  let haste: Int

  init(_ random: inout SeededGenerator) {
    func draw(_ values: Int...) -> Int { values[random.below(values.count)] }
    // A quarter of the worlds is about handovers, and most other things go well there.
    let isAboutHandovers = draw(0, 1, 2, 3) == 0
    deaths = isAboutHandovers ? draw(0, 1, 3) : draw(0, 1, 3, 10)
    launchFailures = isAboutHandovers ? draw(0, 1) : draw(0, 1, 4, 15)
    diskFills = !isAboutHandovers && draw(0, 1) == 1
    users = isAboutHandovers ? 4 : draw(4, 9)
    allOverlap = isAboutHandovers
    restarts = isAboutHandovers ? 40 : 14
    longPauses = isAboutHandovers ? 0 : draw(0, 1, 3)
    lifetimes = draw(160, 400, 1_000)
    children = draw(1, 5, 20)
    haste = draw(100, 25, 10)
    idle = IdlePolicy(
      freezeAfter: .seconds(UInt64(draw(0, 0, 5, 30))), stopAfter: .seconds(UInt64(draw(0, 0, 30, 90))))
  }
}
