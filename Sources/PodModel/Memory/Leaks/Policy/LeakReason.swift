internal import Time

extension LeakDetector.Finding {
  /// One sentence with the figures behind the finding. It is computed on demand, because most findings are never shown.
  public var reason: String {
    let memory =
      limit.map { "\(ByteSize.text(held)) of \(ByteSize.text($0)) held" } ?? "\(ByteSize.text(held)) held"
    guard slope > 0, slopeHigh > 0, isGrowing || isLeak else { return "\(basis.words): \(memory)" }
    var parts = [
      memory, "\(ByteSize.rate(slope)) (\(ByteSize.rate(slopeLow)) to \(ByteSize.rate(slopeHigh)))",
    ]
    if let since, at > since { parts[1] += " for \(words(at - since))" }
    if let timeToLimit { parts.append("\(words(timeToLimit)) to the limit") }
    return "\(basis.words): \(parts.joined(separator: ", "))"
  }
}

extension LeakDetector.Basis {
  /// The conclusion in words, without figures.
  public var words: String {
    switch self {
    case .tooFewSamples: "too few samples yet, two minutes of them are needed (one of zero is a misreading)"
    case .noLimit: "without a limit nothing can be told"
    case .steady: "no steady growth"
    case .settling: "growth that slows down"
    case .room: "steady growth that may still end below the limit"
    case .nearTheLimit: "steady growth that did not end at 90% of the limit"
    case .afterRest: "steady growth after a long rest, without new users"
    case .faster: "steady growth that became faster without new users"
    case .forAWeek: "steady growth for more than a week"
    case .intoSwap: "steady growth that goes to swap"
    case .underTeeth: "steady growth of what collections leave"
    case .peaksMeetLimit: "steady growth whose peaks near the limit"
    case .fasterThanSamples: "steady growth that meets the limit by the next sample"
    case .aboutToMeet: "growth that is about to meet the limit for the first time"
    case .disproved: "growth that ended or was given back"
    }
  }
}

/// `5h 12min`: the two largest units.
private func words(_ span: Microseconds) -> String {
  let whole = span / .seconds(1)
  let parts: [(UInt64, String)] = [
    (whole / 86_400, "d"), (whole / 3600 % 24, "h"), (whole / 60 % 60, "min"), (whole % 60, "s"),
  ]
  let shown = parts.drop { $0.0 == 0 }.prefix(2).filter { $0.0 > 0 }.map { "\($0.0)\($0.1)" }
  return shown.isEmpty ? "0s" : shown.joined(separator: " ")
}
