import Glibc
import PodModel
internal import Time

/// Traces as CSV files for `podctl leak-replay`, with a `labels.csv` in the same directory, as in Tests/leak-traces.
public enum TraceFiles {
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  static let header = "time_s,anon,swap,file,current,active_users"
  static let labels = "labels.csv"
  static let labelsHeader = "file,kind,label,memory_max,leak_starts_s,limit_met_s"

  /// One row of labels.csv; times count from the first sample. If there are several leaks, the row has the start of the
  /// first one and the time when the last one meets the limit.
  public static func label(_ trace: Trace) -> String {
    let start = trace.samples.first?.at ?? .zero
    func seconds(_ at: LoopTime?) -> String { at.map { decimal($0 - start) } ?? "" }
    return "\(trace.name).csv,\(trace.kind),\(trace.isLeak ? "leak" : "healthy"),\(trace.memoryMax),"
      + "\(seconds(trace.leaks.first?.starts)),\(seconds(trace.leaks.last?.meetsLimit))\n"
  }

  public static func write(_ trace: Trace, to directory: String) throws(Failure) {
    let start = trace.samples.first?.at ?? .zero
    var text = header + "\n"
    for sample in trace.samples {
      text += "\(decimal(sample.at - start)),\(sample.anon),\(sample.swap),\(sample.file),\(sample.current),"
      text += "\(sample.activeUsers)\n"
    }
    try write(text, to: "\(directory)/\(trace.name).csv")
  }

  public static func writeLabels(_ rows: [String], to directory: String) throws(Failure) {
    try write(labelsHeader + "\n" + rows.joined(), to: "\(directory)/\(labels)")
  }

  /// The traces that a directory's labels.csv names.
  public static func read(_ directory: String) throws(Failure) -> [Trace] {
    let path = "\(directory)/\(labels)"
    var traces: [Trace] = []
    for (number, row) in try rows(path, header: labelsHeader).enumerated() {
      guard row.count == 6, let memoryMax = UInt64(row[3]), ["leak", "healthy"].contains(row[2]) else {
        throw Failure(description: "\(path):\(number + 2): not a label")
      }
      let samples = try self.samples("\(directory)/\(row[0])")
      let start = samples.first?.at ?? .zero
      var leaks: [Trace.Leak] = []
      if row[2] == "leak" {
        guard let starts = Double(row[4]), let met = Double(row[5]) else {
          throw Failure(
            description: "\(path):\(number + 2): a leak needs its start and when the limit is met")
        }
        let end = start + Microseconds(seconds: met)
        leaks = [Trace.Leak(starts: start + Microseconds(seconds: starts), ends: end, meetsLimit: end)]
      }
      traces.append(
        Trace(name: row[0], kind: row[1], memoryMax: memoryMax, samples: samples, leaks: leaks))
    }
    return traces
  }

  private static func samples(_ path: String) throws(Failure) -> [MemorySample] {
    var samples: [MemorySample] = []
    for (number, row) in try rows(path, header: header).enumerated() {
      guard row.count == 6, let time = Double(row[0]), time >= 0, let anon = UInt64(row[1]),
        let swap = UInt64(row[2]), let file = UInt64(row[3]), let current = UInt64(row[4]),
        let users = Int(row[5])
      else { throw Failure(description: "\(path):\(number + 2): not a sample") }
      // A pod's first sample is not at the start of the clock.
      let at = LoopTime.zero + .seconds(1000) + Microseconds(seconds: time)
      samples.append(
        MemorySample(at: at, anon: anon, swap: swap, file: file, current: current, activeUsers: users))
    }
    return samples
  }

  private static func rows(_ path: String, header: String) throws(Failure) -> [[String]] {
    let lines = try read(path).split(separator: "\n")
    guard let first = lines.first, first == header else {
      throw Failure(description: "\(path):1: the header is not \(header)")
    }
    return lines.dropFirst().map { line in
      line.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
    }
  }

  private static func decimal(_ span: Microseconds) -> String {
    let fraction = String((span % .seconds(1)).count)
    return "\(span / .seconds(1))." + String(repeating: "0", count: 6 - fraction.count) + fraction
  }

  private static func write(_ text: String, to path: String) throws(Failure) {
    guard let file = fopen(path, "w") else {
      throw Failure(description: "\(path): \(String(cString: strerror(errno)))")
    }
    let written = fputs(text, file)
    guard fclose(file) == 0, written >= 0 else {
      throw Failure(description: "\(path): \(String(cString: strerror(errno)))")
    }
  }

  private static func read(_ path: String) throws(Failure) -> String {
    guard let file = fopen(path, "r") else {
      throw Failure(description: "\(path): \(String(cString: strerror(errno)))")
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&piece, 1, piece.count, file), count > 0 { bytes += piece[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }
}
