import Testing

@testable import PodctlCore

@Suite struct RemoteTests {
  @Test func everyWordIsOneWordForTheRemoteShell() {
    #expect(
      Remote.command(host: "web1", arguments: ["logs", "a'b; rm -rf $HOME", ""], terminal: false)
        == ["ssh", "-xT", "--", "web1", #"podctl logs 'a'\''b; rm -rf $HOME' ''"#])
  }

  @Test func aQuoteUnderACombiningMarkIsStillQuoted() {
    #expect(Remote.shellQuoted("'\u{301}") == "''\\''\u{301}'")
  }

  @Test func aPortIsPassedAsSshExpectsIt() {
    #expect(
      Remote.command(host: "root@web1:2222", arguments: ["doctor"], terminal: true)
        == ["ssh", "-xt", "-p", "2222", "--", "root@web1", "podctl doctor"])
    #expect(Remote.wrap(["true"], host: "fe80::1")[3] == "fe80::1")
  }
}
