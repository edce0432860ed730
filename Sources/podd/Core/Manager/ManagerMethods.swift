import PodAPI
import Systemd
import Time

/// What the manager object's methods do, one function each; the functions are in Methods/. A value is for one call.
@LoopActor
struct ManagerMethods {
  let host: PodHost
  let signals: ManagerSignals
  let frontDoorWatch: FrontDoorWatch
  let caller: Polkit.Caller
  let startedAt: WallTime

  var views: HostViews { HostViews(host: host) }
}

/// The types of a method's arguments and reply, and the function that does it.
struct MethodHandler: Sendable {
  /// A call whose arguments have been read; nothing has been done yet.
  struct Decoded: Sendable {
    let subject: String
    let perform: @LoopActor @Sendable (ManagerMethods) async throws(Refusal) -> any MessageBody
  }

  /// The D-Bus signature of what `decode` reads.
  let input: String
  /// The D-Bus signature of the reply.
  let output: String
  let decode: @Sendable (borrowing Message) throws(BusError) -> Decoded

  private init<Call: CallBody, Reply: MessageBody>(
    _ function: @escaping @LoopActor @Sendable (ManagerMethods, Call) async throws(Refusal) -> Reply
  ) {
    input = Call.signature
    output = Reply.signature
    decode = { message throws(BusError) in
      let call = try Call(reading: message)
      return Decoded(subject: call.subject) { methods throws(Refusal) in try await function(methods, call) }
    }
  }

  static func handler(of method: Method) -> MethodHandler {
    switch method {
    case .provision: MethodHandler { methods, call throws(Refusal) in try await methods.provision(call) }
    case .deprovision: MethodHandler { methods, call throws(Refusal) in try await methods.deprovision(call) }
    case .suspendUser: MethodHandler { methods, call throws(Refusal) in try await methods.suspendUser(call) }
    case .resumeUser: MethodHandler { methods, call throws(Refusal) in try await methods.resumeUser(call) }
    case .listPods: MethodHandler { methods, call throws(Refusal) in try await methods.listPods(call) }
    case .listUsers: MethodHandler { methods, call throws(Refusal) in try await methods.listUsers(call) }
    case .listLastUse: MethodHandler { methods, call throws(Refusal) in try await methods.listLastUse(call) }
    case .listTiers: MethodHandler { methods, call throws(Refusal) in try await methods.listTiers(call) }
    case .getPod: MethodHandler { methods, call throws(Refusal) in try await methods.getPod(call) }
    case .getUser: MethodHandler { methods, call throws(Refusal) in try await methods.getUser(call) }
    case .getStatus: MethodHandler { methods, call throws(Refusal) in try await methods.getStatus(call) }
    case .getHistory: MethodHandler { methods, call throws(Refusal) in try await methods.getHistory(call) }
    case .listUsage: MethodHandler { methods, call throws(Refusal) in try await methods.listUsage(call) }
    case .listRequests:
      MethodHandler { methods, call throws(Refusal) in try await methods.listRequests(call) }
    case .getMetrics: MethodHandler { methods, call throws(Refusal) in try await methods.getMetrics(call) }
    case .startPod: MethodHandler { methods, call throws(Refusal) in try await methods.startPod(call) }
    case .stopPod: MethodHandler { methods, call throws(Refusal) in try await methods.stopPod(call) }
    case .restartPod: MethodHandler { methods, call throws(Refusal) in try await methods.restartPod(call) }
    case .resetPod: MethodHandler { methods, call throws(Refusal) in try await methods.resetPod(call) }
    case .recyclePod: MethodHandler { methods, call throws(Refusal) in try await methods.recyclePod(call) }
    case .evictPod: MethodHandler { methods, call throws(Refusal) in try await methods.evictPod(call) }
    case .freezePod: MethodHandler { methods, call throws(Refusal) in try await methods.freezePod(call) }
    case .thawPod: MethodHandler { methods, call throws(Refusal) in try await methods.thawPod(call) }
    case .wakePod: MethodHandler { methods, call throws(Refusal) in try await methods.wakePod(call) }
    case .rollout: MethodHandler { methods, call throws(Refusal) in try await methods.rollout(call) }
    case .checkInvariants:
      MethodHandler { methods, call throws(Refusal) in try await methods.checkInvariants(call) }
    case .attachFrontDoor:
      MethodHandler { methods, call throws(Refusal) in try await methods.attachFrontDoor(call) }
    case .acknowledgeHold:
      MethodHandler { methods, call throws(Refusal) in try await methods.acknowledgeHold(call) }
    case .resolveUser: MethodHandler { methods, call throws(Refusal) in try await methods.resolveUser(call) }
    case .closeClientConnections:
      MethodHandler { methods, call throws(Refusal) in try await methods.closeClientConnections(call) }
    case .findClientConnections:
      MethodHandler { methods, call throws(Refusal) in try await methods.findClientConnections(call) }
    case .reportUse: MethodHandler { methods, call throws(Refusal) in try await methods.reportUse(call) }
    case .reportRequests:
      MethodHandler { methods, call throws(Refusal) in try await methods.reportRequests(call) }
    // Its entry in the audit log is all that it does.
    case .recordRequest: MethodHandler { (_, _: RequestRecord) throws(Refusal) in Nothing() }
    case .reload: MethodHandler { methods, call throws(Refusal) in try await methods.reload(call) }
    }
  }
}
