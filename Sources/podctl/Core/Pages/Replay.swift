internal import Glibc
internal import PodAPI
internal import PodModel
internal import Time

/// Runs podd's leak detector over a trace. `finding` is the first leak found, or the last finding if there is no leak.
struct Replay {
  private(set) var samples = 0
  private(set) var finding: LeakDetector.Finding
  private var first = LoopTime.zero
  private var last = LoopTime.zero
  private var detector: LeakDetector

  init(memoryMax: UInt64?, memoryHigh: UInt64?) {
    detector = LeakDetector(memoryMax: memoryMax, memoryHigh: memoryHigh)
    finding = detector.finding
  }

  /// podd would recycle the pod at the first leak, so later samples do not change the finding.
  mutating func add(_ sample: MemorySample) {
    if samples == 0 { first = sample.at }
    samples += 1
    last = sample.at
    if !finding.isLeak { finding = detector.add(sample) }
  }

  /// Reads a file, or standard input for `-`, in constant memory.
  mutating func read(_ path: String) throws(Failure) {
    let name = path == "-" ? "standard input" : path
    let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.unreadable(name) }
    defer { if path != "-" { close(descriptor) } }
    var trace = MemoryTrace()
    var buffer = [UInt8](repeating: 0, count: MemoryTrace.longestLine + 65_536)
    var filled = 0
    while true {
      let got = buffer.withUnsafeMutableBytes { bytes in
        Glibc.read(descriptor, bytes.baseAddress.map { $0 + filled }, bytes.count - filled)
      }
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw Self.unreadable(name) }
      filled += got
      do throws(MemoryTraceError) {
        let rest = try take(buffer, filled, atEnd: got == 0, into: &trace)
        buffer.withUnsafeMutableBytes { bytes in
          guard let start = bytes.baseAddress else { return }
          memmove(start, start + (filled - rest), rest)
        }
        filled = rest
        if got == 0 { return try trace.finish() }
      } catch {
        throw Failure("\(name):\(error)", status: .usage)
      }
    }
  }

  private static func unreadable(_ name: String) -> Failure {
    Failure("cannot read \(name): \(String(cString: strerror(errno)))", status: .usage)
  }

  /// Consumes the complete lines of `buffer`, and returns how many bytes of an incomplete last line remain.
  private mutating func take(
    _ buffer: [UInt8], _ filled: Int, atEnd: Bool, into trace: inout MemoryTrace
  ) throws(MemoryTraceError) -> Int {
    var problem: MemoryTraceError?
    let rest = buffer.withUnsafeBufferPointer { bytes in
      var start = 0
      while start < filled {
        var end = start
        while end < filled, bytes[end] != UInt8(ascii: "\n") { end += 1 }
        if end == filled, !atEnd { break }
        do throws(MemoryTraceError) {
          if let sample = try trace.read(UnsafeBufferPointer(rebasing: bytes[start..<end])) { add(sample) }
        } catch {
          problem = error
          return 0
        }
        start = min(end + 1, filled)
      }
      return filled - start
    }
    if let problem { throw problem }
    guard rest <= MemoryTrace.longestLine else { throw trace.nextLineIsTooLong }
    return rest
  }

  /// The object of podctl-leak-replay(1).
  var json: JSON {
    .object([
      ("verdict", .string(finding.isLeak ? "leak" : "ok")),
      ("detected_at", finding.isLeak ? .double(finding.at.sinceBoot.seconds) : .null),
      ("memory_at_detection", finding.isLeak ? .uint(finding.held) : .null),
      ("slope_bytes_per_second", .double(finding.slope)),
      ("time_to_limit_seconds", finding.timeToLimit.map { .double($0.seconds) } ?? .null),
      ("reason", .string(finding.reason)),
    ])
  }

  /// The same finding as text for people.
  func page(_ style: Style) -> String {
    let length = samples > 1 ? " over \(Units.duration(last - first))" : ""
    let watched = "\(samples) sample\(samples == 1 ? "" : "s")\(length)"
    guard finding.isLeak else {
      return "\(style.paint("ok", .green)): \(finding.reason)\nSeen: \(watched).\n"
    }
    let after = Units.duration(finding.at - first)
    return
      "\(style.paint("leak", .red)): \(finding.reason)\n"
      + "Found \(after) after the first sample, at time_s \(finding.at.sinceBoot / .seconds(1)); seen: \(watched).\n"
  }
}
