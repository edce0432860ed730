import PodModel
import Seeded
import Testing
import Time
import TimeLiterals

@testable import PodStore

@Suite struct CrashTests {
  /// The files as they are at one instant are what a killed process leaves; a write-ahead log cut short
  /// anywhere is what a power cut leaves.
  @Test func `a crash at any instant of 200 provisions keeps all that was confirmed and no half`() throws {
    let scratch = try Scratch()
    let store = try scratch.open()
    var generator = SeededGenerator(41)
    for n in 1...200 {
      try store.place("user\(n)", usersPerPod: 7, run: true)
      guard n % 8 == 0 else { continue }
      let (main, log) = (try readBytes(scratch.database), try readBytes(scratch.database + "-wal"))

      let killed = try Scratch()
      try writeBytes(main, killed.database)
      try writeBytes(log, killed.database + "-wal")
      #expect(try check(killed) == n)

      let cut = try Scratch()
      try writeBytes(main, cut.database)
      try writeBytes(
        Array(log.prefix(Int.random(in: 0...log.count, using: &generator))), cut.database + "-wal")
      #expect(try check(cut) <= n)
    }
  }

  /// Opens what is left and returns how many of the users stand: always the first ones, without a gap.
  private func check(_ scratch: Scratch) throws -> Int {
    let store = try scratch.open()
    #expect(try store.verifyInvariants(usersPerPod: ["free": 7]).isEmpty)
    let names = try store.allUsers().map(\.name)
    #expect(Set(names) == Set((0..<names.count).map { "user\($0 + 1)" }))
    #expect(try store.pods().map(\.users).reduce(0, +) == names.count)
    return names.count
  }

  @Test func `an operation that fails half-way leaves nothing`() throws {
    let scratch = try Scratch()
    let store = try scratch.open()
    try store.place("alice", usersPerPod: 1)
    let pods = try store.pods()
    try store.execute(
      """
      CREATE TRIGGER fault BEFORE INSERT ON user BEGIN SELECT RAISE(ABORT, 'fault'); END;
      CREATE TRIGGER fault2 BEFORE INSERT ON generation BEGIN SELECT RAISE(ABORT, 'fault'); END;
      """)
    #expect(throws: StoreError.self) { try store.place("bob", usersPerPod: 1) }
    #expect(throws: StoreError.self) { try store.beginGeneration(pod: pod(1), now: 2) }
    #expect(try store.pods() == pods)
    #expect(try store.verifyInvariants().isEmpty)
  }
}
