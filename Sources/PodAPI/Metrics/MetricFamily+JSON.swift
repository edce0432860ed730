public import JSONFormat
public import OpenMetrics

extension MetricFamily {
  /// The object of `podctl metrics --json`.
  public var json: JSON {
    .object([
      ("name", .string(name)), ("type", .string(kind.rawValue)), ("unit", .optional(unit)),
      ("help", .string(help)),
      (
        "samples",
        .array(
          samples.map { sample in
            .object([
              ("name", .string(name + sample.suffix)),
              ("labels", .object(sample.labels.map { ($0.name, .string($0.value)) })),
              ("value", sample.value.isFinite ? .double(sample.value) : .null),
            ])
          })
      ),
    ])
  }
}
