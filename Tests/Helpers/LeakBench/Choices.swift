import PodModel

/// The parameters that each rival was tried with. The first of each is the one that served it best on the tuning
/// seeds, by the harmonic mean of precision and recall; `leak-bench --tune` shows them all.
extension Candidate {
  static let thresholds: [Candidate] = [Threshold.Signal.current, .held].flatMap { signal in
    [0.0, 60, 300].map { hold in
      Candidate("80 % of the limit (\(signal) for \(Int(hold)) s)") {
        Threshold(limit: Double($0), hold: hold, signal: signal)
      }
    }
  }

  static let leastSquares: [Candidate] = choices("least squares") {
    LeastSquares(limit: $0, window: $1, horizon: $2, score: $3)
  }

  static let mannKendalls: [Candidate] = choices("Mann-Kendall") {
    MannKendall(limit: $0, window: $1, horizon: $2, score: $3)
  }

  static let splitAndTails: [Candidate] = [1.0, 3, 12].flatMap { hours in
    [0.1, 0.5, 1].map { share in
      Candidate("split and tail (\(Int(hours)) h, from \(Int(hours * share * 60)) min)") {
        SplitAndTail(limit: Double($0), window: hours * 3600, least: hours * 3600 * share)
      }
    }
  }

  public static let choices: [[Candidate]] = [thresholds, leastSquares, mannKendalls, splitAndTails]

  private static func choices(
    _ name: String, _ make: @escaping @Sendable (Double, Double, Double, Double) -> any Rule
  ) -> [Candidate] {
    [1.0, 6, 24].flatMap { window in
      [0.1, 0.5, 2].flatMap { horizon in
        [3.0, 8].map { score in
          let hours = window * horizon
          return Candidate(
            "\(name) (\(Int(window)) h, limit within \(Int(hours * 60)) min, z \(Int(score)))"
          ) { make(Double($0), window * 3600, hours * 3600, score) }
        }
      }
    }
  }
}
