/// One metric with its samples, as OpenMetrics 1.0 has it.
///
/// The types are those that the older text format of Prometheus has too, because node_exporter's textfile collector reads
/// that one: a type that it does not know would make it refuse the whole file.
public struct MetricFamily: Sendable, Equatable {
  public enum Kind: String, Sendable {
    /// A value that rises and falls.
    case gauge
    /// A value that only rises, until its program starts again.
    case counter
    case histogram
  }

  public typealias Labels = [(name: String, value: String)]

  public struct Sample: Sendable, Equatable {
    /// What follows the family's name: `_total`, `_bucket`, `_count`, `_sum` or nothing.
    public let suffix: String
    public let labels: Labels
    public let value: Double

    public static func == (left: Sample, right: Sample) -> Bool {
      left.suffix == right.suffix && left.value == right.value && left.labels.count == right.labels.count
        && zip(left.labels, right.labels).allSatisfy { $0 == $1 }
    }
  }

  /// Without `_total`. It ends with the unit.
  public let name: String
  public let kind: Kind
  /// `seconds`, `bytes` or `ratio`; nil for numbers of things.
  public let unit: String?
  /// One sentence.
  public let help: String
  public private(set) var samples: [Sample] = []

  public init(_ name: String, _ kind: Kind, unit: String? = nil, _ help: String) {
    self.name = name
    self.kind = kind
    self.unit = unit
    self.help = help
  }

  /// Adds the value of a gauge or a counter.
  public mutating func add(_ value: Double, _ labels: Labels = []) {
    samples.append(Sample(suffix: kind == .counter ? "_total" : "", labels: labels, value: value))
  }

  public mutating func add(_ value: some BinaryInteger, _ labels: Labels = []) { add(Double(value), labels) }

  /// Adds a histogram with its buckets, which count everything up to their bound.
  public mutating func add(_ histogram: MetricHistogram, _ labels: Labels = []) {
    var below: UInt64 = 0
    for (index, count) in histogram.counts.enumerated() {
      below &+= count
      let bound = index < histogram.bounds.count ? histogram.bounds[index] : .infinity
      samples.append(
        Sample(
          suffix: "_bucket", labels: labels + [("le", MetricsText.number(bound, isBound: true))],
          value: Double(below)))
    }
    samples.append(Sample(suffix: "_count", labels: labels, value: Double(below)))
    samples.append(Sample(suffix: "_sum", labels: labels, value: histogram.sum))
  }
}
