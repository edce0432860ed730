import PodModel
import Testing

@Suite struct LogExcerptTests {
  @Test func `the last lines are kept, oldest first`() {
    #expect(LogExcerpt.lines(Array("one\n\ntwo\nthree\n".utf8), count: 2) == ["two", "three"])
    #expect(LogExcerpt.lines(Array("no end".utf8), count: 5) == ["no end"])
    #expect(LogExcerpt.lines([], count: 5).isEmpty && LogExcerpt.lines([65], count: 0).isEmpty)
  }

  @Test func `a line fits whole or says that it was cut`() {
    let fits = String(repeating: "x", count: 300)
    #expect(LogExcerpt.clipped(fits.utf8) == fits)
    #expect(LogExcerpt.clipped((fits + "x").utf8) == String(repeating: "x", count: 297) + "…")
    // No character is cut in two; one that is longer than a line is.
    #expect(LogExcerpt.clipped(("x" + String(repeating: "€", count: 100)).utf8).utf8.count == 298)
    let zalgo = "e" + String(repeating: "\u{301}", count: 500)
    #expect((1...300).contains(LogExcerpt.clipped(zalgo.utf8).utf8.count))
  }

  @Test func `what a pod writes does nothing to a terminal`() {
    #expect(
      LogExcerpt.clipped(Array("\u{1B}[2Jgone\tfor\u{9B}good\0".utf8))
        == "\u{FFFD}[2Jgone for\u{FFFD}good\u{FFFD}")
    // The rest of the line would be read from right to left, and in another place.
    #expect(LogExcerpt.clipped("ok\u{202E}\u{2066}\u{2028}x".utf8) == "ok\u{FFFD}\u{FFFD}\u{FFFD}x")
    #expect(LogExcerpt.clipped([0x61, 0xFF, 0xC3, 0x62]) == "a\u{FFFD}\u{FFFD}b")
    let noise = [UInt8](repeating: 0xFF, count: 1000)
    #expect(LogExcerpt.clipped(noise).utf8.count <= 300)
  }
}
