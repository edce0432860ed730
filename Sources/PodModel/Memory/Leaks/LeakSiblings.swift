/// Compares a leaking pod with the other pods of its workload.
public enum LeakSiblings {
  /// With fewer pods, two that leak may be chance.
  public static let fewestPods = 3

  /// True when the pods leak alike, so that their program is to blame: recycling them all would cure none.
  ///
  /// - Parameter findings: Of every running pod of one workload whose generation has the same version of its
  ///   file, in any order.
  ///
  /// At least four pods of five must grow, at a pace within a factor of four of their median: users differ, and so
  /// does what they do. One of them at least must have been found to leak, or it is warm-up that they share.
  public static func isOfTheVersion(_ findings: [LeakDetector.Finding]) -> Bool {
    guard findings.count >= fewestPods, findings.contains(where: \.isLeak) else { return false }
    let paces = findings.filter { ($0.isLeak || $0.isGrowing) && $0.slopeLow > 0 }.map(\.slope).sorted()
    guard !paces.isEmpty else { return false }
    let median = paces[paces.count / 2]
    let alike = paces.count { $0 >= median / 4 && $0 <= median * 4 }
    return alike * 5 >= findings.count * 4
  }
}
