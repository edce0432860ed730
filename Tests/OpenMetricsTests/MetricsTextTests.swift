import Testing

@testable import OpenMetrics

@Suite struct MetricsTextTests {
  private func lines(_ families: MetricFamily...) -> [Substring] {
    String(decoding: MetricsText.text(families), as: UTF8.self).split(separator: "\n")
  }

  @Test func `a gauge has its type, its unit, its sentence, and its samples`() {
    var family = MetricFamily("a_memory_bytes", .gauge, unit: "bytes", "What it is.")
    family.add(17, [("pod", "pod-001"), ("tier", "free")])
    family.add(0.25)
    #expect(
      lines(family) == [
        "# TYPE a_memory_bytes gauge", "# UNIT a_memory_bytes bytes", "# HELP a_memory_bytes What it is.",
        #"a_memory_bytes{pod="pod-001",tier="free"} 17"#, "a_memory_bytes 0.25", "# EOF",
      ])
  }

  @Test func `a counter's samples end with _total, its name does not`() {
    var family = MetricFamily("a_ends", .counter, "Ends.")
    family.add(3, [("reason", "leak")])
    #expect(
      lines(family) == [
        "# TYPE a_ends counter", "# HELP a_ends Ends.", #"a_ends_total{reason="leak"} 3"#, "# EOF",
      ])
  }

  @Test func `the buckets of a histogram count all that is below, and the last one everything`() {
    var histogram = MetricHistogram(bounds: [0.005, 1, 2.5])
    for value in [0.005, 0.006, 1, 3, 0.5] { histogram.observe(value) }
    var family = MetricFamily("a_launch_seconds", .histogram, unit: "seconds", "Launches.")
    family.add(histogram, [("tier", "free")])
    #expect(
      lines(family).dropFirst(3) == [
        #"a_launch_seconds_bucket{tier="free",le="0.005"} 1"#,
        #"a_launch_seconds_bucket{tier="free",le="1.0"} 4"#,
        #"a_launch_seconds_bucket{tier="free",le="2.5"} 4"#,
        #"a_launch_seconds_bucket{tier="free",le="+Inf"} 5"#,
        #"a_launch_seconds_count{tier="free"} 5"#, #"a_launch_seconds_sum{tier="free"} 4.511"#, "# EOF",
      ])
  }

  @Test func `text from outside cannot end a label or a line`() {
    var family = MetricFamily("a", .gauge, "Says \"x\\y\"\nand ends.")
    family.add(1, [("tier", "a\"} 5\nb 1\\")])
    #expect(
      lines(family) == [
        "# TYPE a gauge", #"# HELP a Says 'x\\y'\nand ends."#, #"a{tier="a\"} 5\nb 1\\"} 1"#, "# EOF",
      ])
  }

  @Test func `a family without samples is left out, and no family at all is still a whole text`() {
    #expect(lines(MetricFamily("a", .gauge, "Nothing.")) == ["# EOF"])
    #expect(MetricsText.text([]) == Array("# EOF\n".utf8))
  }

  @Test(arguments: [
    (0.0, "0"), (-3, "-3"), (1e15, "1000000000000000"), (0.1, "0.1"), (1e300, "1e+300"), (.infinity, "+Inf"),
    (-.infinity, "-Inf"), (.nan, "NaN"), (4_294_967_296, "4294967296"),
  ])
  func `numbers are spelled as both formats spell them`(value: Double, text: String) {
    #expect(MetricsText.number(value) == text)
  }

  @Test func `a histogram of others is taken only if its numbers fit together`() {
    #expect(MetricHistogram(bounds: [1, 2], counts: [1, 2, 3], sum: 9)?.counts == [1, 2, 3])
    #expect(MetricHistogram(bounds: [1, 2], counts: [1, 2], sum: 9) == nil)
    #expect(MetricHistogram(bounds: [2, 1], counts: [1, 2, 3], sum: 9) == nil)
  }
}
