public import PodModel
public import Systemd

/// What keeps pods from being launched although nothing is wrong with them, as GetStatus gives it: a dictionary in the
/// array `HostFaults`.
public struct HostFaultRow: Sendable, Equatable {
  /// The reason of the failed launches, e.g. `launch-failed:journal:ECONNREFUSED`.
  public var reason: String
  /// What the host lacks, and what to do about it.
  public var what: String
  public var fix: String
  /// The pods that wait for it.
  public var pods: [String]

  public init(_ fault: HostFault, pods: [PodName]) {
    reason = LaunchFailure(stage: fault.stage, error: fault.error).reason.description
    what = fault.what
    fix = fault.fix
    self.pods = pods.map(\.description)
  }

  /// Nil without a reason, as from a podd that has other keys.
  public init?(_ properties: Properties) {
    guard let reason = properties.string("Reason"), !reason.isEmpty else { return nil }
    self.reason = reason
    what = properties.string("What") ?? ""
    fix = properties.string("Fix") ?? ""
    pods = properties.strings("Pods")
  }

  public var properties: [(key: String, value: Variant)] {
    [
      ("Reason", .string(reason)), ("What", .string(what)), ("Fix", .string(fix)),
      ("Pods", .array(pods.map { .string($0) })),
    ]
  }

  /// `3 pods`, or the name of the only one.
  public var subject: String { pods.count == 1 ? pods[0] : "\(pods.count) pods" }
}

extension Properties {
  /// What the host lacks; none from a podd that does not say.
  public var hostFaults: [HostFaultRow] { dictionaries("HostFaults").compactMap { HostFaultRow($0) } }
}
