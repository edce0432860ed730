/// Where pods live in the cgroup tree, as paths below its root:
/// `/pods.slice/pods-free.slice/pod-001-1.scope`.
public struct ControlGroup: Sendable, Equatable, CustomStringConvertible {
  public let path: String

  private init(path: String) { self.path = path }

  /// The slice of all pods.
  public static let pods = ControlGroup(path: "/" + podsSlice)

  /// The slice of a tier's pods.
  public static func tier(_ name: String) -> ControlGroup {
    ControlGroup(path: "\(pods.path)/\(slice(ofTier: name))")
  }

  /// The scope of one generation.
  public static func scope(_ unit: UnitName, tier: String) -> ControlGroup {
    ControlGroup(path: "\(self.tier(tier).path)/\(unit)")
  }

  public static let podsSlice = "pods.slice"

  /// The name of a tier's slice unit. The part before the dash is the parent slice (systemd.slice(5)).
  public static func slice(ofTier name: String) -> String { "pods-\(name).slice" }

  /// Whether a slice unit of this name is that of a tier's pods. Their scopes are in no other slice.
  public static func isPodsSlice(_ name: String) -> Bool {
    name.hasPrefix("pods-") && name.hasSuffix(".slice")
  }

  /// Whether `path` lies in the slice with this name.
  public static func isIn(slice: String, path: String) -> Bool {
    path.split(separator: "/").dropLast().contains { $0 == slice }
  }

  /// The unit whose cgroup `path` is; nil if it is not the scope of a generation.
  public static func unit(atPath path: String) -> UnitName? {
    path.split(separator: "/").last.flatMap { UnitName($0) }
  }

  public var description: String { path }
}
