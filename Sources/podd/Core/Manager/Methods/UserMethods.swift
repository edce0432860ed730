import PodAPI
import PodModel

extension ManagerMethods {
  func provision(_ call: ProvisionCall) async throws(Refusal) -> Placement {
    try await host.provision(user: call.user, tier: call.tier ?? "", cold: call.cold)
  }

  func deprovision(_ call: DeprovisionCall) async throws(Refusal) -> Nothing {
    try await host.deprovision(user: call.user, purge: call.purge)
    return Nothing()
  }

  func listUsers(_ call: Nothing) async throws(Refusal) -> [UserRow] {
    try await views.userRows()
  }

  func getUser(_ call: UserCall) async throws(Refusal) -> Properties {
    try await views.properties(ofUser: call.user)
  }
}
