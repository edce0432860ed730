import PodModel

/// The other rules, and the parameters with which each was tried.
extension Candidate {
  /// Each rule with its best parameters on the tuning seeds, 1-5 with 120 traces each, by the harmonic mean of
  /// precision and recall; `leak-bench --tune --count 120` shows all parameters.
  public static let rivals = [
    threshold(.held, hold: 60), leastSquares(window: 1, horizon: 0.5, score: 8),
    mannKendall(window: 1, horizon: 0.5, score: 8), splitAndTail(window: 3, share: 0.5),
  ]

  public static let choices: [Candidate] =
    [Threshold.Signal.current, .held].flatMap { signal in [0, 60, 300].map { threshold(signal, hold: $0) } }
    + forecasts.map { leastSquares(window: $0.window, horizon: $0.horizon, score: $0.score) }
    + forecasts.map { mannKendall(window: $0.window, horizon: $0.horizon, score: $0.score) }
    + [1, 3, 12].flatMap { window in [0.1, 0.5, 1].map { splitAndTail(window: window, share: $0) } }

  /// The window in hours, the horizon of a forecast in windows, and the score from which a slope is significant.
  private static let forecasts: [(window: Double, horizon: Double, score: Double)] =
    [1.0, 6, 24].flatMap { window in
      [0.1, 0.5, 2].flatMap { horizon in [3.0, 8].map { (window, horizon, $0) } }
    }

  private static func threshold(_ signal: Threshold.Signal, hold: Double) -> Candidate {
    Candidate("80 % of the limit (\(signal), for \(Int(hold)) s)") {
      Threshold(limit: Double($0), hold: hold, signal: signal)
    }
  }

  private static func leastSquares(window: Double, horizon: Double, score: Double) -> Candidate {
    Candidate("least squares (\(label(window, horizon)), z \(Int(score)))") {
      LeastSquares(
        limit: Double($0), window: window * 3600, horizon: window * horizon * 3600, score: score)
    }
  }

  private static func mannKendall(window: Double, horizon: Double, score: Double) -> Candidate {
    Candidate("Mann-Kendall (\(label(window, horizon)), z \(Int(score)))") {
      MannKendall(limit: Double($0), window: window * 3600, horizon: window * horizon * 3600, score: score)
    }
  }

  private static func splitAndTail(window: Double, share: Double) -> Candidate {
    Candidate("split and tail (\(Int(window)) h, from \(Int(window * share * 60)) min on)") {
      SplitAndTail(limit: Double($0), window: window * 3600, least: window * share * 3600)
    }
  }

  private static func label(_ window: Double, _ horizon: Double) -> String {
    "\(Int(window)) h, limit within \(Int(window * horizon * 60)) min"
  }
}
