import ArgumentParser
import Glibc
import PodAPI
import Testing

@testable import PodctlCore

@Suite struct LeakReplayTests {
  /// A temporary file, removed at the end of the test.
  private final class File {
    let path: String

    init(_ text: String) throws {
      var template = Array("/tmp/leak-replay-XXXXXX".utf8CString)
      let descriptor = mkstemp(&template)
      try #require(descriptor >= 0)
      path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let bytes = Array(text.utf8)
      try #require(write(descriptor, bytes, bytes.count) == bytes.count)
      close(descriptor)
    }

    deinit { unlink(path) }
  }

  private static let header = "time_s,anon,swap,file,current,active_users\n"

  /// A trace with a row every ten seconds; `held` returns the bytes of each row.
  private func trace(_ rows: Int, _ held: (Int) -> Int) -> String {
    Self.header + (0..<rows).map { "\($0 * 10),\(held($0)),0,0,\(held($0)),5\n" }.joined()
  }

  private func replay(_ text: String) throws -> Replay {
    let file = try File(text)
    var replay = Replay(memoryMax: 96 << 20, memoryHigh: nil)
    try replay.read(file.path)
    return replay
  }

  @Test func aLeakIsReportedWithItsTimeAndRate() throws {
    // 10 MiB, growing by 40 kB with every sample: 96 MiB after 2254 samples.
    let replay = try replay(trace(2254) { 10 << 20 + $0 * 40_000 })
    let json = replay.json
    #expect(json["verdict"]?.text == "\"leak\"")
    guard case .double(let at)? = json["detected_at"], case .uint(let memory)? = json["memory_at_detection"],
      case .double(let slope)? = json["slope_bytes_per_second"],
      case .double(let left)? = json["time_to_limit_seconds"]
    else { throw Failure("a figure is missing: \(json.text)") }
    #expect((slope - 4000).magnitude < 10)
    #expect(memory == UInt64(10 << 20 + Int(at / 10) * 40_000))
    #expect((at + left - 22_540).magnitude < 60)
    #expect(replay.page(Style()).hasPrefix("leak: steady growth that did not end at 90% of the limit: "))
    #expect(replay.page(Style()).contains("seen: 2254 samples over 6h 15min."))
  }

  @Test func aQuietTraceIsOkAndNothingIsMissing() throws {
    let replay = try replay(trace(500) { _ in 50 << 20 })
    #expect(
      replay.json.text
        == #"{"verdict":"ok","detected_at":null,"memory_at_detection":null,"slope_bytes_per_second":0.0,"#
        + #""time_to_limit_seconds":null,"reason":"no steady growth: 50M of 96M held"}"#)
    #expect(replay.page(Style()).hasPrefix("ok: no steady growth: 50M of 96M held\n"))
  }

  /// Lines may cross the ends of the chunks in which the file is read.
  @Test func aLongTraceIsReadWhole() throws {
    #expect(try replay(trace(30_000) { _ in 50 << 20 }).samples == 30_000)
  }

  @Test func theLastLineNeedsNoEnd() throws {
    #expect(try replay(Self.header + "0,1,2,3,4,5").samples == 1)
  }

  @Test(arguments: [
    (header + "0,1,2,3,4,5\n1,x,2,3,4,5\n", ":3: anon: \"x\" is not a number"),
    ("", ":1: the header is missing"),
    (header + String(repeating: "1", count: 200_000), ":2: the line is longer than 65536 bytes"),
  ])
  func aBadTraceIsNamedWithItsLine(text: String, expected: String) throws {
    let failure = #expect(throws: Failure.self) { try replay(text) }
    #expect(failure?.status == .usage)
    #expect(failure?.message.hasPrefix("/tmp/leak-replay-") == true)
    #expect(failure?.message.contains(expected) == true, "\(failure?.message ?? "")")
  }

  @Test func aDirectoryOrAMissingFileIsBadInput() {
    for path in ["/tmp", "/nonexistent.csv"] {
      var replay = Replay(memoryMax: nil, memoryHigh: nil)
      let failure = #expect(throws: Failure.self) { try replay.read(path) }
      #expect(failure?.status == .usage)
      #expect(failure?.message.hasPrefix("cannot read \(path): ") == true)
    }
  }

  @Test func limitsAreSizes() throws {
    let arguments = ["leak-replay", "t.csv", "--memory-max", "96M", "--memory-high=64M", "--json"]
    let verb = try #require(try Podctl.parseAsRoot(arguments) as? LeakReplay)
    #expect(verb.trace == "t.csv" && verb.globals.json)
    for bad in [
      ["t.csv"], ["--memory-max", "96M"], ["t.csv", "--memory-max", "lots"], ["t.csv", "--memory-max", "0"],
    ] {
      #expect(throws: (any Error).self) { try Podctl.parseAsRoot(["leak-replay"] + bad) }
    }
  }
}
