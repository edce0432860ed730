import OpenMetrics
import PodAPI
import Systemd
import Testing

/// The alert rules and the dashboard against what podd says.
@Suite struct MetricFilesTests {
  static let files = ["podctl.rules.yml", "podctl-dashboard.json"]

  private func names(in file: String) throws -> Set<String> {
    let top = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let text = try #require(readSmallFile("/\(top)/units/prometheus/\(file)", limit: 1 << 20))
    let expressions = text.split(separator: "\n").filter {
      $0.contains("expr: ") || $0.contains("\"expr\": ")
    }
    #expect(expressions.count > 10)
    var names: Set<String> = []
    for expression in expressions {
      for word in expression.split(whereSeparator: { !($0.isLetter || $0.isNumber || $0 == "_") })
      where word.hasPrefix("podctl_") {
        names.insert(String(word))
      }
    }
    return names
  }

  /// The names of all series.
  private var series: Set<String> {
    Set(MetricsTests.families.flatMap { family in family.samples.map { family.name + $0.suffix } })
  }

  @Test(arguments: files) func `every name in a file exists`(file: String) throws {
    let names = try names(in: file)
    #expect(names.count >= 10)
    #expect(names.subtracting(series) == [])
  }

  @Test func `every name in the manual page exists, and every metric is in it`() throws {
    let top = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let page = try #require(readSmallFile("/\(top)/packaging/man/podctl-metrics.1.scd"))
    let text = String(page.filter { $0 != "\\" })
    for family in MetricsTests.families {
      let name = family.name + (family.kind == .counter ? "_total" : "")
      #expect(text.contains("*\(name)*"), "\(name)")
    }
    for word in text.split(separator: "*") where word.hasPrefix("podctl_") {
      #expect(
        MetricsTests.families.contains { $0.name + ($0.kind == .counter ? "_total" : "") == word }, "\(word)")
    }
  }
}
