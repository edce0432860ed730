/// Families as text: OpenMetrics 1.0, which Prometheus scrapes, and which is also readable as the text format 0.0.4, of
/// node_exporter's textfile collector.
public enum MetricsText {
  /// The media type of the text, for HTTP.
  public static let mediaType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

  /// The whole text. A family without samples is left out.
  public static func text(_ families: [MetricFamily]) -> [UInt8] {
    var bytes: [UInt8] = []
    for family in families where !family.samples.isEmpty { append(family, to: &bytes) }
    // Without this line, a reader knows that the text was cut off.
    bytes += "# EOF\n".utf8
    return bytes
  }

  private static func append(_ family: MetricFamily, to bytes: inout [UInt8]) {
    bytes += "# TYPE \(family.name) \(family.kind.rawValue)\n".utf8
    if let unit = family.unit { bytes += "# UNIT \(family.name) \(unit)\n".utf8 }
    bytes += "# HELP \(family.name) ".utf8
    // The older format knows no escaped quotes here, and the newer one no others.
    append(escaped: family.help, quote: "'", to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
    for sample in family.samples {
      bytes += family.name.utf8
      bytes += sample.suffix.utf8
      append(sample.labels, to: &bytes)
      bytes.append(UInt8(ascii: " "))
      bytes += number(sample.value).utf8
      bytes.append(UInt8(ascii: "\n"))
    }
  }

  private static func append(_ labels: MetricFamily.Labels, to bytes: inout [UInt8]) {
    guard !labels.isEmpty else { return }
    var separator = UInt8(ascii: "{")
    for label in labels {
      bytes.append(separator)
      separator = UInt8(ascii: ",")
      bytes += label.name.utf8
      bytes += "=\"".utf8
      append(escaped: label.value, quote: "\\\"", to: &bytes)
      bytes.append(UInt8(ascii: "\""))
    }
    bytes.append(UInt8(ascii: "}"))
  }

  /// Line ends, quotes and backslashes would end what they stand in.
  private static func append(escaped text: String, quote: String, to bytes: inout [UInt8]) {
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\n"): bytes += "\\n".utf8
      case UInt8(ascii: "\""): bytes += quote.utf8
      case UInt8(ascii: "\\"): bytes += "\\\\".utf8
      default: bytes.append(byte)
      }
    }
  }

  /// A number as both formats spell it.
  /// - Parameter isBound: A bucket's bound is text, which must always be the same: OpenMetrics has `1.0` there, not `1`.
  static func number(_ value: Double, isBound: Bool = false) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    if !isBound, let whole = Int64(exactly: value) { return String(whole) }
    return value.description
  }
}
