import PodModel
import Testing

@Suite struct GateSettingsTests {
  private func read(_ lines: String) -> Result<GateSettings, SettingsErrors> {
    GateSettings.check([SettingsFragment(path: "podgate.conf", text: "[Gate]\n\(lines)\n")])
  }

  @Test func browsersSendNoTokenUnlessTheSettingsSaySo() throws {
    let settings = try read("").get()
    #expect(settings.tokenCookie == nil && settings.allowedOrigins.isEmpty)
    let set = try read(
      "TokenCookie=__Host-token\nAllowedOrigins=https://a.example.com http://localhost:3000\nAllowedOrigins=https://[::1]:8443"
    ).get()
    #expect(set.tokenCookie == "__Host-token")
    #expect(set.allowedOrigins == ["https://a.example.com", "http://localhost:3000", "https://[::1]:8443"])
    let reset = try read(
      "TokenCookie=a\nTokenCookie=\nAllowedOrigins=https://a.org\nAllowedOrigins=\nAllowedOrigins=https://b.org"
    ).get()
    #expect(reset.tokenCookie == nil && reset.allowedOrigins == ["https://b.org"])
  }

  @Test func aLabelIsAUser() throws {
    let plain = try read("").get().userOfHost
    #expect(plain.user(of: "user123".utf8)?.text == "user123")
    let mail = try read("UserOfHost=a.${LABEL}+b@example.com").get().userOfHost
    #expect(mail.user(of: "x".utf8)?.text == "a.x+b@example.com")
    for label in ["", "a.b", "-a", String(repeating: "a", count: 64)] {
      #expect(plain.user(of: label.utf8) == nil)
    }
    #expect(try read("UserOfHost=x${LABEL}\nUserOfHost=").get().userOfHost == UserOfHost())
  }

  @Test(arguments: [
    "UserOfHost=alice", "UserOfHost=${LABEL}${LABEL}", "UserOfHost=${LABEL} b", "UserOfHost=-${LABEL}",
    "UserOfHost=$${LABEL}", "UserOfHost=${NAME}", "UserOfHost=a/${LABEL}",
    "TokenCookie=a b", "TokenCookie=a;", "TokenCookie=a=b", "AllowedOrigins=*", "AllowedOrigins=null",
    "AllowedOrigins=a.example.com", "AllowedOrigins=https://a.example.com/", "AllowedOrigins=https://A.org",
    "AllowedOrigins=https://a.org:443", "AllowedOrigins=http://a.org:80", "AllowedOrigins=https://",
    "AllowedOrigins=https://a:0443", "AllowedOrigins=https://a:", "AllowedOrigins=https://a:65536",
    "AllowedOrigins=https://*.example.com", "AllowedOrigins=https://user@a", "AllowedOrigins=https://[::1",
    "AllowedOrigins=ftp://a.example.com", "AllowedOrigins=https://a:b:1",
  ])
  func whatNoBrowserSendsIsAnError(line: String) {
    #expect(throws: SettingsErrors.self) { try read(line).get() }
  }
}
