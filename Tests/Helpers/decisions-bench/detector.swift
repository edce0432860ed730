import Glibc
import PodModel
import Time

/// The cost of the leak detector: nanoseconds of processor time per sample, and bytes per pod. The pod uses nine tenths
/// of its limit with some noise and is sampled every 10 s for 20 days: so near its limit, every sample is examined.
func detectorCost() -> (nanosecondsPerSample: Int, bytesPerPod: Int) {
  var detector = LeakDetector(memoryMax: 100 << 20, memoryHigh: nil)
  var state: UInt64 = 1
  func sample(_ index: UInt64) -> MemorySample {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let held = 88 << 20 + (state >> 43)
    return MemorySample(
      at: .zero + .seconds(10 * index), anon: held, swap: 0, file: 0, current: held, activeUsers: 20)
  }
  let days: UInt64 = 20
  let samples = days * 8640
  let start = processorTime()
  for index in 0..<samples { detector.add(sample(index)) }
  let seconds = processorTime() - start
  precondition(!detector.finding.isLeak)

  // Adding a sample to a copy allocates its own history.
  let pods = 4000
  var others = [LeakDetector](repeating: detector, count: pods)
  let last = sample(samples)
  let before = residentBytes()
  for pod in others.indices { others[pod].add(last) }
  let history = (residentBytes() - before) / pods
  return (Int(seconds * 1e9) / Int(samples), history + MemoryLayout<LeakDetector>.stride)
}

/// The second number of proc_pid_statm(5), in pages.
private func residentBytes() -> Int {
  let descriptor = open("/proc/self/statm", O_RDONLY)
  defer { close(descriptor) }
  var text = [UInt8](repeating: 0, count: 128)
  let length = max(read(descriptor, &text, text.count), 0)
  let numbers = text[..<length].split(separator: UInt8(ascii: " ")).map {
    String(decoding: $0, as: UTF8.self)
  }
  return numbers.count > 1 ? (Int(numbers[1]) ?? 0) * Int(getpagesize()) : 0
}
