import PodAPI
import PodModel
import Testing

@testable import PoddCore

struct MethodHandlerTests {
  @Test(arguments: Method.allCases)
  func aMethodReadsAndRepliesWhatTheContractSays(method: Method) {
    let handler = MethodHandler.handler(of: method)
    #expect(handler.input == method.input)
    #expect(handler.output == method.output)
  }

  @Test func aUsersNameIsParsedOnceAndInLowerCase() throws {
    #expect(try ManagerMethods.userName("Alice@Example.com").text == "alice@example.com")
    let refusal = #expect(throws: Refusal.self) { try ManagerMethods.userName("../x") }
    #expect(refusal?.error == .invalidUser)
    #expect(refusal?.message == "the user name starts with '.'; it must not start with '.' or '-'")
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
