internal import PodAPI
internal import PodModel

/// Provisions many users and remembers what became of each.
struct ProvisionBatch {
  private(set) var results: [(item: ProvisionFile.Item, outcome: Result<Placement, CallError>)] = []

  /// Goes on after an error that concerns one user; stops when podd is gone or the caller may not.
  static func run(
    _ items: [ProvisionFile.Item], cold: Bool,
    provision: (ProvisionFile.Item, Bool) throws(CallError) -> Placement,
    progress: (_ done: Int) -> Void
  ) -> ProvisionBatch {
    var batch = ProvisionBatch()
    for item in items {
      do throws(CallError) {
        batch.results.append((item, .success(try provision(item, cold))))
      } catch {
        batch.results.append((item, .failure(error)))
        if error.status == .unreachable || error.status == .denied { break }
      }
      progress(batch.results.count)
    }
    return batch
  }

  var failures: [(item: ProvisionFile.Item, error: CallError)] {
    results.compactMap { item, outcome in
      if case .failure(let error) = outcome { (item, error) } else { nil }
    }
  }

  /// Nil when nothing failed. Worst first: what no second try helps against.
  var worstStatus: SysExit? {
    let seen = Set(failures.map(\.error.status))
    return [.unreachable, .denied, .failed, .usage, .temporary].first { seen.contains($0) }
  }

  /// `41 users: 40 placed, 1 already there.`
  var summary: String {
    var created = 0
    var present = 0
    for case .success(let placement) in results.map(\.outcome) {
      if placement.created { created += 1 } else { present += 1 }
    }
    var parts = ["\(created) placed"]
    if present > 0 { parts.append("\(present) already there") }
    if !failures.isEmpty { parts.append("\(failures.count) failed") }
    return "\(results.count) user\(results.count == 1 ? "" : "s"): \(parts.joined(separator: ", ")).\n"
  }

  /// One object an item: what `provision --json` prints, and `error`, null unless it failed.
  var json: JSON {
    .array(
      results.map { item, outcome in
        switch outcome {
        case .success(let placement): .object(placement.jsonMembers + [("error", .null)])
        case .failure(let error):
          .object([
            ("user", .string(item.user.text)), ("tier", .optional(item.tier)), ("pod", .null),
            ("unit", .null), ("address", .null), ("front_address", .null), ("port", .null), ("state", .null),
            ("created", .bool(false)), ("error", .string(error.message)),
          ])
        }
      })
  }
}
