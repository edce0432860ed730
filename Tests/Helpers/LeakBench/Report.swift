import Glibc

/// Scores as text for people and as JSON.
public struct Report {
  let scores: [Score]
  let traces: Int
  let source: String

  /// - Parameter source: The origin of the traces, e.g. `seeds 1001-1010`.
  public init(_ scores: [Score], traces: Int, source: String) {
    self.scores = scores
    self.traces = traces
    self.source = source
  }

  public var text: String {
    let width = scores.map(\.name.count).max() ?? 0
    var lines = ["\(traces) traces, \(source)", ""]
    let heads = [
      "precision", "recall", "free", "worst", "left", "worst", "earliest", "false", "/1000 d", "/month",
      "us/sample",
    ]
    lines.append(padded("", width) + heads.map { right($0, 10) }.joined())
    for score in scores {
      let cells = [
        fixed(score.precision, 3), fixed(score.recall, 3), percent(score.freeShares.quantile(0.5)),
        percent(score.freeShares.first), span(score.secondsLeft.quantile(0.5)), span(score.secondsLeft.first),
        span(score.secondsAfter.first), String(score.falseRecycles), fixed(score.falsePerThousandPodDays, 2),
        fixed(score.falsePerPodMonth, 3), fixed(score.microsecondsPerSample, 2),
      ]
      lines.append(padded(score.name, width) + cells.map { right($0, 10) }.joined())
    }
    lines += [
      "",
      "Mistakes by kind (false recycles + leaks missed, of traces), and what the first rule left free, median:",
      "",
    ]
    let kinds = Set(scores.flatMap(\.byKind.keys)).sorted()
    let kindWidth = kinds.map(\.count).max() ?? 0
    lines.append(
      padded("", kindWidth) + right("traces", 8) + right("free", 8)
        + scores.map { right(short($0.name), 16) }.joined())
    for kind in kinds {
      let cells = scores.map { score in
        let mistakes = score.byKind[kind] ?? Score.Mistakes()
        let cell =
          mistakes.falseRecycles + mistakes.missed == 0
          ? "." : "\(mistakes.falseRecycles)+\(mistakes.missed)"
        return right(cell, 16)
      }
      let count = scores.first?.byKind[kind]?.traces ?? 0
      let free = percent(scores.first?.byKind[kind]?.freeShares.sorted().quantile(0.5))
      lines.append(padded(kind, kindWidth) + right(String(count), 8) + right(free, 8) + cells.joined())
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The traces that `score` judged wrongly, one per line.
  public static func wrong(_ score: Score) -> String {
    score.wrong.map { each in
      "\(each.trace)  \(each.kind): " + (each.at.map { "recycled after \(span($0))" } ?? "missed")
        + (each.reason.isEmpty ? "" : ", \(each.reason)") + "\n"
    }.joined()
  }

  public var json: String {
    let rules = scores.map { score in
      let kinds = score.byKind.sorted { $0.key < $1.key }.map {
        "\(quoted($0.key)):{\"traces\":\($0.value.traces),\"missed\":\($0.value.missed),"
          + "\"false_recycles\":\($0.value.falseRecycles)}"
      }
      let fields = [
        "\"rule\":\(quoted(score.name))", "\"precision\":\(score.precision)", "\"recall\":\(score.recall)",
        "\"leaks\":\(score.leaks)", "\"found\":\(score.found.count)", "\"missed\":\(score.missed)",
        "\"false_recycles\":\(score.falseRecycles)", "\"pod_days\":\(score.podDays)",
        "\"false_recycles_per_1000_pod_days\":\(score.falsePerThousandPodDays)",
        "\"false_recycles_per_pod_month\":\(score.falsePerPodMonth)",
        "\"free_share\":\(summary(score.freeShares))", "\"seconds_left\":\(summary(score.secondsLeft))",
        "\"seconds_after_start\":\(summary(score.secondsAfter))",
        "\"microseconds_per_sample\":\(score.microsecondsPerSample)",
        "\"by_kind\":{\(kinds.joined(separator: ","))}",
      ]
      return "{\(fields.joined(separator: ","))}"
    }
    return
      "{\"source\":\(quoted(source)),\"traces\":\(traces),\"rules\":[\(rules.joined(separator: ","))]}\n"
  }

  private func summary(_ values: [Double]) -> String {
    func number(_ value: Double?) -> String { value.map { "\($0)" } ?? "null" }
    return "{\"min\":\(number(values.first)),\"p10\":\(number(values.quantile(0.1))),"
      + "\"median\":\(number(values.quantile(0.5))),\"max\":\(number(values.last))}"
  }

  private func quoted(_ text: String) -> String { "\"\(text)\"" }
}

/// The name without the parameters in parentheses.
private func short(_ name: String) -> String {
  String(name.prefix { $0 != "(" }.prefix(15)).split(separator: " ").joined(separator: " ")
}

private func padded(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - text.count))
}

private func right(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(1, width - text.count)) + text
}

private func fixed(_ value: Double, _ digits: Int) -> String {
  let scale = pow(10, Double(digits))
  let whole = Int((value * scale).rounded())
  let fraction = String(whole % Int(scale))
  return "\(whole / Int(scale))." + String(repeating: "0", count: max(0, digits - fraction.count)) + fraction
}

private func percent(_ share: Double?) -> String { share.map { fixed($0 * 100, 1) + "%" } ?? "-" }

private func span(_ seconds: Double?) -> String {
  guard let seconds else { return "-" }
  return switch seconds {
  case ..<300: fixed(seconds, 0).split(separator: ".")[0] + "s"
  case ..<7200: "\(Int(seconds / 60))min"
  case ..<172_800: fixed(seconds / 3600, 1) + "h"
  default: fixed(seconds / 86_400, 1) + "d"
  }
}
