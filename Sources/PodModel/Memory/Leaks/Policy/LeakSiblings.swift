/// Compares a leaking pod with the other pods of its workload.
public enum LeakSiblings {
  /// With fewer pods, two that leak can be a coincidence.
  public static let fewestPods = 3

  /// True when the pods leak alike. Then their program is to blame, and recycling all of them would cure none.
  ///
  /// - Parameter findings: The finding of every running pod of one workload whose generation has the same version of
  ///   the workload file, in any order.
  ///
  /// At least four of five pods must grow, at a rate within a factor of four of their median, because users differ. At
  /// least one of them must have been found to leak; otherwise they may share a warm-up.
  public static func isOfTheVersion(_ findings: [LeakDetector.Finding]) -> Bool {
    guard findings.count >= fewestPods, findings.contains(where: \.isLeak) else { return false }
    let paces = findings.filter { ($0.isLeak || $0.isGrowing) && $0.slopeLow > 0 }.map(\.slope).sorted()
    guard !paces.isEmpty else { return false }
    let median = paces[paces.count / 2]
    let alike = paces.count { $0 >= median / 4 && $0 <= median * 4 }
    return alike * 5 >= findings.count * 4
  }
}
