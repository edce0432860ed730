internal import PodModel

/// The methods of org.podctl1.Manager: their names, signatures and polkit actions. podctl calls them and podd
/// implements them by this type alone; PodAPITests compares it with org.podctl1.xml.
public enum Method: String, CaseIterable, Sendable {
  case provision = "Provision"
  case deprovision = "Deprovision"
  case suspendUser = "SuspendUser"
  case resumeUser = "ResumeUser"
  case listPods = "ListPods"
  case listUsers = "ListUsers"
  case listLastUse = "ListLastUse"
  case listTiers = "ListTiers"
  case getPod = "GetPod"
  case getUser = "GetUser"
  case getStatus = "GetStatus"
  case getHistory = "GetHistory"
  case listUsage = "ListUsage"
  case listRequests = "ListRequests"
  case getMetrics = "GetMetrics"
  case startPod = "StartPod"
  case stopPod = "StopPod"
  case restartPod = "RestartPod"
  case resetPod = "ResetPod"
  case recyclePod = "RecyclePod"
  case evictPod = "EvictPod"
  case freezePod = "FreezePod"
  case thawPod = "ThawPod"
  case wakePod = "WakePod"
  case rollout = "Rollout"
  case checkInvariants = "CheckInvariants"
  case attachFrontDoor = "AttachFrontDoor"
  case acknowledgeHold = "AcknowledgeHold"
  case resolveUser = "ResolveUser"
  case closeClientConnections = "CloseClientConnections"
  case findClientConnections = "FindClientConnections"
  case reportUse = "ReportUse"
  case reportRequests = "ReportRequests"
  case recordRequest = "RecordRequest"
  case reload = "Reload"

  /// The name on the bus.
  public var name: String { rawValue }

  /// The D-Bus signature of the arguments.
  public var input: String {
    switch self {
    case .provision: ProvisionCall.signature
    case .deprovision: DeprovisionCall.signature
    case .getUser, .suspendUser, .resumeUser, .resolveUser: UserCall.signature
    case .getPod, .startPod, .stopPod, .restartPod, .resetPod, .freezePod, .thawPod, .wakePod:
      PodCall.signature
    case .recyclePod, .evictPod: PlanCall.signature
    case .getHistory: HistoryCall.signature
    case .rollout: RolloutCall.signature
    case .acknowledgeHold: HoldCall.signature
    case .closeClientConnections, .findClientConnections: ClientPeers.signature
    case .reportUse: UseReport.signature
    case .reportRequests: RequestsReport.signature
    case .recordRequest: RequestRecord.signature
    case .listPods, .listUsers, .listLastUse, .listTiers, .getStatus, .listUsage, .listRequests,
      .getMetrics, .checkInvariants, .attachFrontDoor, .reload:
      Nothing.signature
    }
  }

  /// The D-Bus signature of the reply.
  public var output: String {
    switch self {
    case .provision: Placement.signature
    case .suspendUser, .resumeUser: StatusReply.signature
    case .resolveUser: ResolvedUser.signature
    case .listPods: Array<PodRow>.signature
    case .listUsers: Array<UserRow>.signature
    case .listLastUse: Array<LastUseRow>.signature
    case .listTiers: Array<TierRow>.signature
    case .getHistory: Array<MemoryMinute>.signature
    case .listUsage: Array<UsageRow>.signature
    case .listRequests: CountedRequests.signature
    case .getPod, .getUser, .getStatus: Properties.signature
    case .getMetrics: MetricsReply.signature
    case .startPod, .stopPod, .restartPod, .resetPod, .freezePod, .thawPod, .wakePod: StateReply.signature
    case .recyclePod, .evictPod: PlanReply.signature
    case .rollout: RolloutResult.signature
    case .checkInvariants: Violations.signature
    case .findClientConnections: ClientPeers.signature
    case .deprovision, .attachFrontDoor, .acknowledgeHold, .closeClientConnections, .reportUse,
      .reportRequests, .recordRequest, .reload:
      Nothing.signature
    }
  }

  /// What polkit is asked to allow.
  public var action: PolkitAction {
    switch self {
    case .provision: .provision
    case .deprovision: .deprovision
    case .suspendUser, .resumeUser: .suspend
    case .startPod, .stopPod, .restartPod, .resetPod, .recyclePod, .evictPod, .freezePod, .thawPod, .wakePod,
      .rollout, .recordRequest:
      .managePods
    case .attachFrontDoor, .acknowledgeHold, .resolveUser, .closeClientConnections, .findClientConnections,
      .reportUse, .reportRequests:
      .frontDoor
    case .reload: .manageHost
    case .listPods, .listUsers, .listLastUse, .listTiers, .getPod, .getUser, .getStatus, .getHistory,
      .listUsage, .listRequests, .checkInvariants:
      .view
    case .getMetrics: .metrics
    }
  }

  /// Whether the audit log records the call.
  public var isAudited: Bool {
    switch action {
    case .view, .metrics, .frontDoor: false
    case .provision, .deprovision, .suspend, .managePods, .manageHost: true
    }
  }
}

/// The actions of polkit/org.podctl1.policy.
public enum PolkitAction: String, CaseIterable, Sendable {
  case view = "org.podctl1.view"
  case provision = "org.podctl1.provision"
  case deprovision = "org.podctl1.deprovision"
  case suspend = "org.podctl1.suspend"
  case managePods = "org.podctl1.manage-pods"
  case manageHost = "org.podctl1.manage-host"
  case frontDoor = "org.podctl1.front-door"
  case metrics = "org.podctl1.metrics"

  /// The action's id in polkit.
  public var id: String { rawValue }

  /// Whether polkit is asked for each call, with the user, pod or tier that the call is about, or once for what a caller
  /// does in a while. Only for the front door's calls the latter: it acts for all users alike.
  public var isAskedForEachCall: Bool { self != .frontDoor }
}
