import Glibc
import HostCheck
import Testing

@Suite struct FrontDoorChecksTests {
  private static let nginx: UInt32 = 970

  /// A host with podctl-gate on which nothing is wrong.
  private func host() -> FakeHost {
    let host = FakeHost.debian12()
    host.write("usr/lib/podctl/podgate", "")
    host.write(
      "usr/lib/podctl/front.conf",
      "events {\n    # Not worker_connections 1;\n    worker_connections 8192;\n}\n")
    host.write(
      "etc/passwd",
      "root:x:0:0::/root:/bin/sh\npodctl-gate:x:971:971::/:/x\npodctl-front:x:\(Self.nginx):970::/:/x\n")
    host.write("etc/group", "podctl-gate:x:971:\nkeys:x:\(getgid()):other,podctl-gate\n")
    host.write("etc/podctl/gate/keys.json", "{}")
    host.write("etc/podctl/front/tls.key", "secret")
    change(host, "etc/podctl/gate/keys.json", 0o640)
    change(host, "etc/podctl/front/tls.key", 0o600)
    host.write(
      "run/podctl/front/listen.conf", "listen 443 ssl http2;\nlisten [::]:443 ssl http2; # listen 1;\n")
    host.write("run/podctl-front/nginx.pid", "77\n")
    host.write("proc/77/comm", "nginx\n")
    limit(host, 32_768)
    listens(host, 443, uid: Self.nginx)
    return host
  }

  private func change(_ host: FakeHost, _ path: String, _ mode: mode_t) {
    #expect(chmod("\(host.root)/\(path)", mode) == 0)
  }

  private func limit(_ host: FakeHost, _ files: Int) {
    host.write(
      "proc/77/limits",
      "Limit                     Soft Limit           Hard Limit           Units     \n"
        + "Max open files            \(files)                524288               files     \n")
  }

  private func listens(_ host: FakeHost, _ port: Int, uid: UInt32) {
    let digits = String(port, radix: 16, uppercase: true)
    let hex = String(repeating: "0", count: 4 - digits.count) + digits
    host.write(
      "proc/net/tcp",
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        + "   0: 00000000:\(hex) 00000000:0000 0A 00000000:00000000 00:00000000"
        + " 00000000  \(uid)        0 4711 1 0000000000000000 100 0 0 10 0\n")
  }

  private func checks(_ host: FakeHost) -> [Check] { HostCheck(root: host.root).frontDoor() }

  private func found(_ host: FakeHost) -> [Finding] { checks(host).compactMap(\.finding) }

  @Test func withoutTheFrontDoorNothingIsSaidOfIt() {
    let host = host()
    host.remove("usr/lib/podctl/podgate")
    #expect(checks(host).isEmpty)
  }

  @Test func aGoodFrontDoorLacksNothing() {
    let checks = checks(host())
    #expect(checks.compactMap(\.finding) == [])
    #expect(checks.map(\.id) == ["front-permissions", "front-address", "front-limits", "front-users"])
    #expect(checks.contains { $0.title == "front door listens at 443, [::]:443" })
  }

  @Test func keysMustBeReadableForPodgateAndForNobodyElse() {
    let host = host()
    let keys = "etc/podctl/gate/keys.json"
    change(host, keys, 0o600)
    #expect(found(host).first?.fix.contains("chgrp podctl-gate /\(keys) && chmod 640 /\(keys)") == true)
    change(host, keys, 0o640)
    change(host, "etc/podctl/gate", 0o700)
    #expect(
      found(host).map(\.what) == [
        "podgate may not read /\(keys) because of the permissions of /etc/podctl/gate."
      ])
    change(host, "etc/podctl/gate", 0o755)
    change(host, keys, 0o644)
    change(host, "etc/podctl/front/tls.key", 0o604)
    #expect(found(host).map(\.id) == ["front-permissions", "front-permissions"])
    #expect(found(host).last?.fix.contains("chmod 600 /etc/podctl/front/tls.key") == true)
    // In a directory that nobody enters it is no secret lost.
    change(host, "etc/podctl/front", 0o700)
    change(host, keys, 0o640)
    #expect(found(host) == [])
    // Another file may be the right one.
    host.write("etc/podctl/podgate.conf", "[Gate]\nKeyFile=/srv/keys\n")
    host.write("srv/keys", "")
    change(host, "srv/keys", 0o600)
    #expect(found(host).first?.what.contains("/srv/keys") == true)
  }

  @Test func aPortThatSomebodyElseHasIsNamedWithTheProgram() {
    let host = host()
    listens(host, 443, uid: 33)
    #expect(found(host).first?.what == "Another program listens at port 443, so the front door cannot.")
    host.write("proc/12/comm", "apache2\n")
    host.write("proc/12/fd/keep", "")
    #expect(symlink("socket:[4711]", "\(host.root)/proc/12/fd/3") == 0)
    #expect(found(host).first?.what == "apache2 (process 12) listens at port 443, so the front door cannot.")
    host.remove("proc/12/fd/3")
    #expect(found(host).first?.fix.contains("WITH ANOTHER WEB SERVER") == true)
    // Nobody: nginx has not read it.
    listens(host, 8443, uid: Self.nginx)
    #expect(found(host).map(\.what) == ["podctl-front.service runs, but nothing listens at port 443."])
    host.write("run/podctl/front/listen.conf", "listen 127.0.0.1:8443;listen unix:/run/podctl-front/http;")
    #expect(
      found(host).map(\.what) == [
        "podctl-front.service runs, but its socket /run/podctl-front/http is missing."
      ])
    // While it does not run, its unit's check says so.
    host.write("proc/77/comm", "bash\n")
    #expect(found(host) == [])
  }

  @Test func fewDescriptorsAreNamed() {
    let host = host()
    limit(host, 1024)
    #expect(found(host).map(\.id) == ["front-limits"])
    #expect(found(host).first?.what.contains("1024 descriptors for 8192 connections") == true)
    #expect(found(host).first?.fix.contains("LimitNOFILE=32768") == true)
  }

  @Test(arguments: [("www-data", false), ("www-data podctl-front", true), ("970", true), ("", true)])
  func frontUsersMustNameTheFrontDoor(users: String, isFine: Bool) {
    let host = host()
    host.write("etc/podctl/podd.conf", "[Podd]\nFrontUsers=\(users)\n")
    #expect(found(host).isEmpty == isFine)
    if !isFine { #expect(found(host).first?.fix.contains("FrontUsers=www-data podctl-front") == true) }
  }
}
