import PodAPI
import Testing

@testable import PoddCore

struct MethodHandlerTests {
  @Test(arguments: Method.allCases)
  func aMethodReadsAndRepliesWhatTheContractSays(method: Method) {
    let handler = MethodHandler.handler(of: method)
    #expect(handler.input == method.input)
    #expect(handler.output == method.output)
  }

  @Test func aRolloutsModeIsOneOfThree() throws {
    var call = RolloutCall(RolloutRequest(tier: "free", mode: .resume))
    #expect(try ManagerMethods.request(call).mode == .resume)
    call.mode = "again"
    let refusal = #expect(throws: Refusal.self) { try ManagerMethods.request(call) }
    #expect(refusal?.error == .invalidSettings)
    #expect(refusal?.message == "a rollout's mode is restart, resume or revert, not 'again'")
  }
}
