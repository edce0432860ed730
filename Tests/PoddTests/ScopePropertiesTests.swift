import Testing

@testable import PoddCore

struct ScopePropertiesTests {
  @Test func theSliceOfATierIsSystemdsChildOfPodsSlice() {
    #expect(ScopeProperties.slice(ofTier: "free") == "pods-free.slice")
  }
}
