import Testing

@testable import PodModel

struct ControlGroupTests {
  @Test func aScopeLiesInTheSliceOfItsTier() throws {
    let unit = try #require(UnitName("pod-001-3.scope"))
    #expect(ControlGroup.slice(ofTier: "free") == "pods-free.slice")
    #expect(ControlGroup.scope(unit, tier: "free").path == "/pods.slice/pods-free.slice/pod-001-3.scope")
  }

  @Test func aPathIsInEachOfItsSlicesAndInNoOther() {
    let path = "/pods.slice/pods-free.slice/pod-001-3.scope"
    #expect(ControlGroup.isIn(slice: "pods.slice", path: path))
    #expect(ControlGroup.isIn(slice: "pods-free.slice", path: path))
    #expect(!ControlGroup.isIn(slice: "pods-fre.slice", path: path))
    #expect(!ControlGroup.isIn(slice: "pod-001-3.scope", path: path))
  }

  @Test(arguments: [
    ("/pods.slice/pods-free.slice/pod-001-3.scope", "pod-001-3.scope"), ("/pods.slice/pods-free.slice", nil),
    ("/system.slice/podd.service", nil), ("/pods.slice/pods-free.slice/pod-001-3.scope/own", nil), ("/", nil),
  ])
  func `a path names a unit only if it is a generation's own`(path: String, unit: String?) {
    #expect(ControlGroup.unit(atPath: path)?.description == unit)
  }
}
