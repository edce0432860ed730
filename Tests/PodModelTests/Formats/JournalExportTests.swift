import PodModel
import Testing
import Time
import TimeLiterals

@Suite struct JournalExportTests {
  private func entry(_ time: UInt64, _ message: String) -> [UInt8] {
    Array(
      "__CURSOR=s=1\n__REALTIME_TIMESTAMP=\(1_000 - time)\n__MONOTONIC_TIMESTAMP=\(time)\n_BOOT_ID=b\nMESSAGE=\(message)\n\n"
        .utf8)
  }

  private func binary(_ time: UInt64, _ message: [UInt8]) -> [UInt8] {
    let length = (0..<8).map { UInt8(truncatingIfNeeded: message.count >> ($0 * 8)) }
    return Array(
      "__CURSOR=s=2\n__REALTIME_TIMESTAMP=\(1_000 - time)\n__MONOTONIC_TIMESTAMP=\(time)\nMESSAGE\n".utf8)
      + length + message + [
        0x0A, 0x0A,
      ]
  }

  private func texts(_ bytes: [UInt8], since: LoopTime = 0) -> [String] {
    JournalExport.messages(in: bytes, since: since).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func `messages come in their order, binary ones too`() {
    let bytes = entry(1, "a=b") + binary(2, Array("two\n\nlines\u{1B}".utf8)) + entry(3, "")
    #expect(texts(bytes) == ["a=b", "two\n\nlines\u{1B}", ""])
    #expect(texts([]).isEmpty)
  }

  /// The wall clock is set back between the two: it does not count.
  @Test func `what is older is somebody else's`() {
    #expect(texts(entry(1, "old") + entry(2, "new"), since: 2) == ["new"])
  }

  @Test func `what is cut off is left out`() {
    let bytes = binary(1, Array("first\n\npart".utf8)) + entry(2, "whole") + binary(3, Array("last".utf8))
    for start in 1..<bytes.count { _ = texts(Array(bytes[start...])) }
    for end in 0..<bytes.count { _ = texts(Array(bytes[..<end])) }
    #expect(texts(Array(bytes[5...])) == ["whole", "last"])
    #expect(texts(Array(bytes.dropLast(3))) == ["first\n\npart", "whole"])
    #expect(texts(Array("MESSAGE\n".utf8) + [UInt8](repeating: 0xFF, count: 20)).isEmpty)
    #expect(texts(Array("__CURSOR=1\nMESSAGE\n".utf8) + [UInt8](repeating: 0xFF, count: 20)).isEmpty)
  }
}
