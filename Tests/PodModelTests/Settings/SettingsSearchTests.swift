import PodModel
import Testing

@Suite struct SettingsSearchTests {
  private func listings(_ contents: [(String, [String])]) -> [SettingsSearch.Listing] {
    contents.map { SettingsSearch.Listing(directory: $0.0, fileNames: $0.1) }
  }

  @Test func theMainFileOfTheFirstDirectoryCounts() {
    let found = listings([
      ("/etc/podctl", []), ("/run/podctl", ["podd.conf"]), ("/usr/lib/podctl", ["podd.conf"]),
    ])
    #expect(SettingsSearch.main("podd.conf", in: found) == "/run/podctl/podd.conf")
    #expect(SettingsSearch.main("other.conf", in: found) == nil)
  }

  @Test func dropInsSortByFileNameOverAllDirectories() {
    let found = listings([
      ("/etc/d", ["50-b.conf", "90-a.conf"]), ("/run/d", ["10-z.conf", "50-b.conf"]),
      ("/usr/lib/d", ["60-c.conf", "10-z.conf", "90-a.conf"]),
    ])
    #expect(
      SettingsSearch.dropIns(in: found) == [
        "/run/d/10-z.conf", "/etc/d/50-b.conf", "/usr/lib/d/60-c.conf", "/etc/d/90-a.conf",
      ])
  }

  @Test func whatIsNotASettingsFileIsLeftOut() {
    let found = listings([
      ("/etc/d", [".hidden.conf", "a.conf~", "b.conf.dpkg-new", "README", ".conf", "c.conf"])
    ])
    #expect(SettingsSearch.dropIns(in: found) == ["/etc/d/c.conf"])
    #expect(SettingsSearch.names(in: found) == ["c"])
  }

  @Test func namesAreTheUnionOfAllDirectories() {
    let found = listings([
      ("/etc/t", ["pro.conf"]), ("/usr/lib/t", ["free.conf", "pro.conf", "free.conf.d"]),
    ])
    #expect(SettingsSearch.names(in: found) == ["free", "pro"])
  }
}
