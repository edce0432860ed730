import PodAPI
import PodModel
import PodStore

extension ManagerMethods {
  func provision(_ call: ProvisionCall) async throws(Refusal) -> Placement {
    try await host.provision(user: Self.userName(call.user), tier: call.tier ?? "", cold: call.cold)
  }

  func deprovision(_ call: DeprovisionCall) async throws(Refusal) -> Nothing {
    try await host.deprovision(user: Self.userName(call.user), purge: call.purge)
    return Nothing()
  }

  func suspendUser(_ call: UserCall) async throws(Refusal) -> StatusReply {
    StatusReply(status: try await host.suspend(user: Self.userName(call.user)).rawValue)
  }

  func resumeUser(_ call: UserCall) async throws(Refusal) -> StatusReply {
    StatusReply(status: try await host.resume(user: Self.userName(call.user)).rawValue)
  }

  func listUsers(_ call: Nothing) async throws(Refusal) -> [UserRow] {
    try await views.userRows()
  }

  func listLastUse(_ call: Nothing) async throws(Refusal) -> [LastUseRow] {
    let uses = try await host.ask { store throws(StoreError) in try store.lastUses() }
    return uses.map { LastUseRow(user: $0.user.text, at: $0.at) }
  }

  func getUser(_ call: UserCall) async throws(Refusal) -> Properties {
    try await views.properties(ofUser: Self.userName(call.user))
  }

  nonisolated static func userName(_ text: String) throws(Refusal) -> UserName {
    do throws(UserNameError) {
      return try UserName(validating: text)
    } catch {
      throw Refusal(.invalidUser, error.description)
    }
  }
}
