import Dispatch
import GRDB
import Glibc
import PodModel
import Testing

@testable import PodStore

/// Worlds of faults around the real decisions (docs/design.md, "Decisions are values").
///
///     make simulate     new worlds until it is stopped
///     SIMULATION_SEED=42 swift test --filter SimulationTests     one world, with its trace
@Suite struct SimulationTests {
  static let steps = 500
  static let workers = 2

  private static func setting(_ name: String) -> UInt64? {
    getenv(name).flatMap { UInt64(String(cString: $0)) }
  }

  @Test func noWorldBreaksAnInvariant() async throws {
    if let seed = Self.setting("SIMULATION_SEED") {
      let store = try ScratchStore()
      let failure = try Self.run(seed, store)
      #expect(failure == nil, "\(failure ?? "")")
      return
    }
    // With a first seed: from there on, for ever.
    let first = Self.setting("SIMULATION_FROM")
    let last = first == nil ? Self.setting("SIMULATION_SEEDS") ?? 5_000 : .max - UInt64(Self.workers)
    let failures = await withTaskGroup(of: [String].self) { group in
      for worker in 0..<UInt64(Self.workers) {
        group.addTask { await Self.runMany(from: (first ?? 1) + worker, through: last) }
      }
      return await group.reduce(into: []) { $0 += $1 }
    }
    for failure in failures { Issue.record("\(failure)") }
  }

  @Test func aSeedIsAlwaysTheSameWorld() throws {
    let store = try ScratchStore()
    var traces: [[String]] = []
    for _ in 0..<2 {
      try store.store.forgetEverything()
      let simulation = try Simulation(seed: 7, store: store.store, isTracing: true)
      try? simulation.run(steps: Self.steps)
      traces.append(simulation.trace)
    }
    #expect(traces[0].count > 100)
    #expect(traces[0] == traces[1])
  }

  /// Every second seed, on a thread of its own: other tests need the few threads of Swift's pool meanwhile.
  private static func runMany(from first: UInt64, through last: UInt64) async -> [String] {
    await withCheckedContinuation { continuation in
      DispatchQueue(label: "simulation \(first)").async {
        do {
          let store = try ScratchStore()
          for seed in stride(from: first, through: last, by: workers) {
            if let failure = try run(seed, store) { return continuation.resume(returning: [failure]) }
            // Somebody watches a run without an end.
            if last > 1_000_000, (seed - first) % 2_000 == 0 {
              print("no invariant broke up to seed \(seed)")
            }
          }
          continuation.resume(returning: [])
        } catch {
          continuation.resume(returning: ["\(error)"])
        }
      }
    }
  }

  /// Nil, or what went wrong, how it came to that, and how to see it again.
  private static func run(_ seed: UInt64, _ scratch: ScratchStore) throws -> String? {
    let isTracing = setting("SIMULATION_SEED") != nil
    try scratch.store.forgetEverything()
    let simulation = try Simulation(seed: seed, store: scratch.store, isTracing: isTracing)
    do {
      try simulation.run(steps: steps)
      return nil
    } catch {
      var trace = simulation.trace
      if !isTracing {
        // Once more, with a trace.
        try scratch.store.forgetEverything()
        let again = try Simulation(seed: seed, store: scratch.store, isTracing: true)
        try? again.run(steps: steps)
        trace = again.trace.suffix(60)
      }
      return """
        \(error)
        \(trace.joined(separator: "\n"))
        Again: SIMULATION_SEED=\(seed) swift test --filter SimulationTests
        """
    }
  }
}

/// A database in memory-backed storage where there is some, gone with its owner.
final class ScratchStore {
  let store: PlacementStore
  private let directory: String

  init() throws {
    let base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    var template = Array("\(base)/simulation-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    directory = try #require(made)
    store = try PlacementStore(file: "\(directory)/podctl.db")
  }

  deinit {
    try? store.close()
    for suffix in ["", "-wal", "-shm"] { unlink("\(directory)/podctl.db\(suffix)") }
    rmdir(directory)
  }
}

extension PlacementStore {
  /// Making a new database for every world costs as much as a hundred steps.
  func forgetEverything() throws {
    try write { db in
      for table in ["user", "pod", "generation", "audit"] { try db.execute(sql: "DELETE FROM \(table)") }
      try db.execute(sql: "UPDATE host SET epoch = 0")
    }
  }
}
