import Testing
import Time
import TimeLiterals

@testable import PodModel

@Suite struct MemoryTraceTests {
  private func read(_ text: String) throws(MemoryTraceError) -> [MemorySample] {
    try read(Array(text.utf8))
  }

  private func read(_ bytes: [UInt8]) throws(MemoryTraceError) -> [MemorySample] {
    var trace = MemoryTrace()
    var samples: [MemorySample] = []
    for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
      var problem: MemoryTraceError?
      line.withUnsafeBufferPointer { bytes in
        do throws(MemoryTraceError) {
          if let sample = try trace.read(bytes) { samples.append(sample) }
        } catch {
          problem = error
        }
      }
      if let problem { throw problem }
    }
    try trace.finish()
    return samples
  }

  @Test func aRowIsASample() throws {
    let samples = try read("time_s,anon,swap,file,current,active_users\n0,1,2,3,4,5\n10.25,10,20,30,40,50\n")
    #expect(
      samples == [
        MemorySample(at: 0, anon: 1, swap: 2, file: 3, current: 4, activeUsers: 5),
        MemorySample(
          at: .zero + .milliseconds(10_250), anon: 10, swap: 20, file: 30, current: 40, activeUsers: 50),
      ])
  }

  @Test(arguments: [
    "active_users,current,file,swap,anon,time_s\n5,4,3,2,1,7\n",
    "time_s,anon,swap,file,current,active_users\r\n7,1,2,3,4,5\r\n\r\n\n",
    "\u{FEFF}time_s, anon, swap, file, current, active_users\n 7 ,\t1, 2, 3, 4, 5\n",
    "pod,time_s,anon,note,swap,file,current,active_users\npod-001,7,1,slow,2,3,4,5\n",
    "time_s,anon,swap,file,current,active_users\n7.0,1.9,2.0,3.,4.5,5.0\n",
  ])
  func orderLineEndsFurtherColumnsAndDecimalsMakeNoDifference(text: String) throws {
    #expect(
      try read(text) == [
        MemorySample(at: .zero + .seconds(7), anon: 1, swap: 2, file: 3, current: 4, activeUsers: 5)
      ])
  }

  /// Whole seconds cannot tell two readings of one second apart.
  @Test func equalTimesAndGapsAreFine() throws {
    let header = "time_s,anon,swap,file,current,active_users\n"
    #expect(try read(header + "7,1,0,0,1,1\n7,2,0,0,2,1\n90000,3,0,0,3,1\n").count == 3)
  }

  static let row = "time_s,anon,swap,file,current,active_users\n"

  static let badHeaders: [(String, String)] = [
    ("", "1: the header is missing: time_s,anon,swap,file,current,active_users"),
    ("\n\n", "3: the header is missing: time_s,anon,swap,file,current,active_users"),
    ("time_s,anon,swap,file,current,active_users\n", "2: no samples follow the header"),
    ("0,1,2,3,4,5\n", "1: this is no header; the first line names the columns: "),
    ("time_s,anon,file,current\n", "1: missing columns swap, active_users"),
    ("time_s,anon,swap,file,current,active_users,anon\n", "1: the column anon is there twice"),
  ]

  static let badRows: [(String, String)] = [
    ("0,1,2,3,4,5\n1,many,2,3,4,5", "3: anon: \"many\" is not a number"),
    ("0,1,2,3,4,-5", "2: active_users: \"-5\" is negative or no number"),
    ("0,nan,2,3,4,5", "2: anon: \"nan\" is not a number"),
    ("0,1,inf,3,4,5", "2: swap: \"inf\" is not a number"),
    ("0,1e9,2,3,4,5", "2: anon: \"1e9\" is no plain number; write it without an exponent"),
    ("0,\"12,2,3,4,5", "2: anon: \"?12\" is not a number"),
    ("0,\"\",2,3,4,5", "2: anon is empty"),
    ("0,,2,3,4,5", "2: anon is empty"),
    ("0,.,2,3,4,5", "2: anon: \".\" is not a number"),
    ("0,1.2.3,2,3,4,5", "2: anon: \"1.2.3\" is not a number"),
    ("0,99999999999999999999999,2,3,4,5", "2: anon: \"99999999999999999999999\" is too large"),
    ("0,1,2,3,4", "2: 5 fields where the header has 6"),
    ("0,1,2,3,4,5,6", "2: 7 fields where the header has 6"),
    ("10,1,2,3,4,5\n9.5,1,2,3,4,5", "3: time_s runs backwards: 9.500000 after 10"),
    ("0,\u{1B}[31m,2,3,4,5", "2: anon: \"?[31m\" is not a number"),
  ]

  @Test(arguments: badHeaders + badRows.map { (row + $0.0 + "\n", $0.1) })
  func whatCannotBeRightIsNamedWithItsLine(text: String, expected: String) {
    let error = #expect(throws: MemoryTraceError.self) { try read(text) }
    #expect(error?.description.hasPrefix(expected) == true, "\(error?.description ?? "accepted")")
  }

  @Test func aLineWithoutEndIsRefused() {
    let error = #expect(throws: MemoryTraceError.self) {
      try read(Self.row + String(repeating: "1", count: MemoryTrace.longestLine + 1))
    }
    #expect(error?.line == 2)
  }

  @Test func nothingThatIsAcceptedOverflows() throws {
    let most = "1152921504606846976"
    let sample = try #require(
      try read(Self.row + "9000000000000,\(most),\(most),\(most),\(most),1000000000\n").first)
    #expect(sample.held == 1 << 61)
  }
}
