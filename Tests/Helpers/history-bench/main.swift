import Glibc
import PodModel
import PodStore
import Seeded
import Time

// The cost of the memory history. history-bench PODS MINUTES DIRECTORY writes MINUTES minutes of PODS pods, of which six
// in ten are idle, three work and one is short of memory. It prints the bytes of a row on disk, the time of a minute's
// write and of queries, and the processor time.

func now(_ clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
}

/// Pods with realistic memory and CPU usage.
struct World {
  private var random = SeededGenerator(1)
  private var anon: [UInt64] = []

  init(pods: Int) {
    for _ in 0..<pods { anon.append(UInt64.random(in: 1_500...12_000, using: &random)) }
  }

  mutating func minute(_ pod: Int, _ at: Int64) -> MemoryMinute {
    let page: UInt64 = 4096
    var minute = MemoryMinute(
      minute: at, generation: 1, anon: 0, swap: 0, file: 800 * page, current: 0, currentMax: 0,
      activeUsers: 20)
    switch pod % 10 {
    case 0..<6:
      if UInt64.random(in: 0..<10, using: &random) == 0 {
        anon[pod] += UInt64.random(in: 0...1, using: &random)
      }
      minute.cpu = Microseconds(UInt64.random(in: 3_000...9_000, using: &random))
    case 6..<9:
      anon[pod] = max(1_500, anon[pod] + UInt64.random(in: 0...200, using: &random) - 100)
      minute.file += UInt64.random(in: 0...500, using: &random) * page
      minute.cpu = Microseconds(UInt64.random(in: 500_000...8_000_000, using: &random))
      minute.activeUsers = Int.random(in: 5...20, using: &random)
    default:
      anon[pod] = max(1_500, anon[pod] + UInt64.random(in: 0...2_000, using: &random) - 1_000)
      minute.swap = UInt64.random(in: 0...4_000, using: &random) * page
      minute.stalledSome = Microseconds(UInt64.random(in: 0...20_000_000, using: &random))
      minute.stalledFull = minute.stalledSome / 3
      minute.cpu = Microseconds(UInt64.random(in: 5_000_000...30_000_000, using: &random))
    }
    minute.anon = anon[pod] * page
    minute.current = minute.anon + minute.file + 300 * page
    minute.currentMax = minute.current + UInt64.random(in: 0...200, using: &random) * page
    return minute
  }
}

let arguments = CommandLine.arguments.dropFirst()
guard arguments.count == 3, let pods = arguments.first.flatMap({ Int($0) }), pods > 0,
  let minutes = arguments.dropFirst().first.flatMap({ Int64($0) }), minutes > 0,
  let directory = arguments.last
else {
  print("history-bench PODS MINUTES DIRECTORY")
  exit(64)
}
var limits = HistoryStore.Limits()
limits.bytes = .max
var world = World(pods: pods)
let file = directory + "/history.db"
let store = HistoryStore(file: file, limits: limits)
let start: Int64 = 29_000_000 / 60 * 60
var times: [Double] = []
let cpu = now(CLOCK_PROCESS_CPUTIME_ID)
do throws(StoreError) {
  for at in start..<start + minutes {
    let records = (0..<pods).map { HistoryRecord(pod: PodName(number: $0 + 1), minute: world.minute($0, at)) }
    let begun = now(CLOCK_MONOTONIC)
    try store.add(records, now: at)
    times.append(now(CLOCK_MONOTONIC) - begun)
  }
  let used = now(CLOCK_PROCESS_CPUTIME_ID) - cpu
  times.sort()
  func time(_ share: Double) -> Double { times[min(times.count - 1, Int(Double(times.count) * share))] }
  print("rows", Int64(pods) * minutes)
  print("write of a minute, ms: median", time(0.5), "99 of 100", time(0.99), "longest", time(1))
  print("processor time a minute, ms", used / Double(minutes))
  for (name, length) in [("hour", Int64(60)), ("day", 1440), ("all", minutes)] {
    let begun = now(CLOCK_MONOTONIC)
    let last = start + minutes - 1
    let found = try store.history(
      ofPod: PodName(number: pods / 2 + 1), minutes: max(start, last - length + 1)...last, limit: .max)
    print("question for one pod:", name, found.count, "rows, ms", now(CLOCK_MONOTONIC) - begun)
  }
  store.close()
} catch {
  print("\(error)")
  exit(1)
}
var status = stat()
guard stat(file, &status) == 0 else { exit(1) }
print("bytes", status.st_size, "a row", Double(status.st_size) / Double(Int64(pods) * minutes))
print("bytes a pod and 30 days", Int64(Double(status.st_size) / Double(Int64(pods) * minutes) * 43_200))
