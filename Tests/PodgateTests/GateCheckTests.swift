import Foundation
import Testing
import Time

@testable import PodgateCore

/// A host's files of the front door, removed with this object.
private final class FrontFiles {
  let root: String

  init() throws {
    root = NSTemporaryDirectory() + "podgate-check-\(UUID().uuidString)"
    try write(
      "etc/podctl/gate/keys.json",
      #"{"keys":[{"kty":"oct","alg":"HS256","k":"\#(String(repeating: "A", count: 43))"}]}"#)
    try write("etc/podctl/front/tls.crt", GateCheckTests.certificate)
    try write("etc/podctl/front/tls.key", GateCheckTests.key)
  }

  deinit { try? FileManager.default.removeItem(atPath: root) }

  func write(_ path: String, _ text: String) throws {
    let file = URL(fileURLWithPath: "\(root)/\(path)")
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
  }

  func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: "\(root)/\(path)") }

  func results(daysBeforeEnd days: UInt64 = 365, isRoot: Bool = true) -> [GateCheck.Result] {
    let end = WallTime.epoch + .seconds(4_128_842_742)
    var check = GateCheck(root: root)
    check.isRoot = isRoot
    return check.results(now: end - .days(days))
  }

  /// The ids of what is wrong.
  var wrong: [String] { results().filter { $0.fix != nil }.map(\.id) }
}

@Suite struct GateCheckTests {
  @Test func aGoodFrontDoorIsTwoLines() throws {
    let host = try FrontFiles()
    #expect(
      host.results().map(\.line) == [
        "front-keys\tfront door: 1 key of tokens in /etc/podctl/gate/keys.json",
        "front-certificate\tfront door: certificate for front.example.com, *.pods.example.com, "
          + "192.0.2.1, 2001:db8::1 until 2100-11-02",
      ])
    // Who may not read the keys learns nothing of them.
    #expect(host.results(isRoot: false).map(\.id) == ["front-certificate"])
  }

  @Test func aCertificateIsToBeRenewedFourteenDaysBeforeItsEnd() throws {
    let host = try FrontFiles()
    #expect(host.results(daysBeforeEnd: 15).allSatisfy { $0.fix == nil })
    let soon = host.results(daysBeforeEnd: 13).last
    #expect(soon?.what.hasSuffix("2001:db8::1 expires on 2100-11-02.") == true)
    #expect(soon?.fix?.contains("systemctl reload-or-restart podctl-front.service") == true)
    let end = WallTime.epoch + .seconds(4_128_842_742)
    let late = GateCheck(root: host.root, isRoot: true).results(now: end + .days(1)).last
    #expect(late?.what.hasSuffix("expired on 2100-11-02.") == true)
  }

  @Test func whatIsMissingOrBelongsToAnotherIsNamed() throws {
    let host = try FrontFiles()
    // The certificate was replaced, and nginx was not told.
    try host.write("run/podctl/front/tls.crt", MetricsTests.certificate)
    #expect(host.wrong == ["front-certificate"])
    try host.write("run/podctl/front/tls.crt", Self.certificate)
    #expect(host.wrong == [])

    try host.write("etc/podctl/front/tls.crt", MetricsTests.certificate)
    #expect(host.wrong == ["front-private-key", "front-certificate"])
    try host.write("etc/podctl/front/tls.crt", "nothing")
    #expect(host.wrong == ["front-certificate"])
    try host.remove("etc/podctl/front/tls.crt")
    #expect(
      host.results().last?.what
        == "The front door's certificate /etc/podctl/front/tls.crt cannot be read: No such file or directory."
    )
    // An administrator's own lines may name other files.
    try host.write("etc/podctl/front/listen.conf", "listen unix:/run/podctl-front/http;")
    #expect(host.wrong == [])

    try host.write("etc/podctl/front/tls.crt", Self.certificate)
    try host.write("run/podctl/front/tls.crt", Self.certificate)
    try host.write("etc/podctl/front/tls.key", "nothing")
    #expect(host.wrong == ["front-private-key"])
    try host.remove("etc/podctl/front/tls.key")
    #expect(host.wrong == ["front-private-key"])

    try host.write("etc/podctl/front/tls.key", Self.key)
    try host.write("etc/podctl/gate/keys.json", "{")
    #expect(host.wrong == ["front-keys"])
    try host.remove("etc/podctl/gate/keys.json")
    #expect(host.results().first?.what.contains("put a JWK Set there") == true)
  }

  @Test(arguments: [
    ("*.pods.example.com", true), ("*.PODS.example.com", true), ("alice.pods.example.com", true),
    ("*.other.example.com", false), ("a.b.pods.example.com", false), ("*.example.com", false),
  ])
  func theCertificateMustBeValidForTheHostsOfUsers(name: String, isValid: Bool) throws {
    let host = try FrontFiles()
    try host.write(
      "etc/podctl/front/hosts.d/pods.conf",
      "server {\n    # server_name x;\n    server_name \(name);\n    include /usr/lib/podctl/front-hosts.conf;\n}\n"
    )
    try host.write("etc/podctl/front/hosts.d/pods.conf.old", "server_name y;")
    #expect(host.wrong == (isValid ? [] : ["front-certificate"]))
    if !isValid {
      #expect(host.results().last?.what.contains("is not valid for \(name.lowercased())") == true)
    }
  }

  @Test func aLineHasNoFurtherFields() {
    #expect(GateCheck.Result(id: "a", what: "b\tc\nd\re", fix: "f").line == "a\tb c d e\tf")
  }

  /// openssl req -x509 -newkey ed25519 -nodes -days 27000, with these names as subjectAltName.
  static let certificate = """
    -----BEGIN CERTIFICATE-----
    MIIBhTCCATegAwIBAgIUQlSLdcCwCsPQUYvmvVcaX3muKaEwBQYDK2VwMBExDzAN
    BgNVBAMMBnVudXNlZDAgFw0yNjExMzAxMjQ1NDJaGA8yMTAwMTEwMjEyNDU0Mlow
    ETEPMA0GA1UEAwwGdW51c2VkMCowBQYDK2VwAyEAvfabR8xJmgMpHVJyHM1ta4wJ
    /dF/DuFY8plgKH9uk4ijgZ4wgZswHQYDVR0OBBYEFDAh9wm/BnhlyZwSqkHPG2/W
    W+WdMB8GA1UdIwQYMBaAFDAh9wm/BnhlyZwSqkHPG2/WW+WdMA8GA1UdEwEB/wQF
    MAMBAf8wSAYDVR0RBEEwP4IRZnJvbnQuZXhhbXBsZS5jb22CEioucG9kcy5leGFt
    cGxlLmNvbYcEwAACAYcQIAENuAAAAAAAAAAAAAAAATAFBgMrZXADQQA7LPwX25Aw
    atDNOYhreZCjSO4dZxXGQsMzH5ozwa+3KhRkDXkhQ9CWtwDWHy+J1EEzjLlykjdV
    xmu7k/3qnrMF
    -----END CERTIFICATE-----
    """

  static let key = """
    -----BEGIN PRIVATE KEY-----
    MC4CAQAwBQYDK2VwBCIEIOhe2zTfmuRtDqrn5oqDYAr3o3JpZF+apKTRc11HXG7U
    -----END PRIVATE KEY-----
    """
}
