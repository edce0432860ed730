/// The properties of org.podctl1.Manager, all of them read-only. PodAPITests compares them with org.podctl1.xml.
public enum ManagerProperty: String, CaseIterable, Sendable {
  case version = "Version"
  case podCount = "NPods"
  case userCount = "NUsers"

  /// The name on the bus.
  public var name: String { rawValue }

  /// The D-Bus type.
  public var signature: String {
    switch self {
    case .version: "s"
    case .podCount: "u"
    case .userCount: "t"
    }
  }
}
