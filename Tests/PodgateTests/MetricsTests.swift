import Glibc
import HTTPWire
import LoopThread
import OpenMetrics
import PodAPI
import Systemd
import Testing
import Time
import TimeLiterals

@testable import PodgateCore

@Suite(.timeLimit(.minutes(10))) struct MetricsTests {
  private static let answers: [(answer: Answer, labels: String)] = [
    (.admit([], AdmittedFields()), #"status="200",reason="admitted""#),
    (.unauthenticated(.noToken), #"status="401",reason="no-token""#),
    (.unauthenticated(.invalidToken("it expired")), #"status="401",reason="invalid-token""#),
    (.refuse(status: 400, reason: ""), #"status="400",reason="not-understood""#),
    (.refuse(status: 403, reason: ""), #"status="403",reason="no-access""#),
    (.refuse(status: 429, reason: ""), #"status="429",reason="rate""#),
    (.refuse(status: 503, reason: ""), #"status="503",reason="unavailable""#),
    (.refuse(status: 507, reason: ""), #"status="507",reason="data-limit""#),
    (.refuse(status: 418, reason: ""), #"status="other",reason="other""#),
  ]

  private static func families() async throws -> [MetricFamily] {
    try await onLoop {
      let figures = GateFigures()
      for (count, each) in answers.enumerated() {
        for _ in 0...count { figures.answered(each.answer, after: Microseconds(30)) }
      }
      figures.now = { GateFigures.Now(streams: 3, users: 4, tokens: 5, tokensVerified: 6, tokensFound: 7) }
      return figures.families
    }
  }

  private func lines(_ families: [MetricFamily]) -> [Substring] {
    String(decoding: MetricsText.text(families), as: UTF8.self).split(separator: "\n")
  }

  @Test func `each answer is counted by its status and reason, and every series is there from the start`()
    async throws
  {
    let lines = lines(try await Self.families())
    for (count, each) in Self.answers.enumerated() {
      #expect(lines.contains("podgate_requests_total{\(each.labels)} \(count + 1)"[...]), "\(each.labels)")
    }
    for line in [
      #"podgate_authorisation_seconds_bucket{le="2.5e-05"} 0"#,
      #"podgate_authorisation_seconds_bucket{le="5e-05"} 45"#,
      "podgate_open_streams 3", "podgate_known_users 4", "podgate_known_tokens 5",
      #"podgate_tokens_total{found="verified"} 6"#, #"podgate_tokens_total{found="cached"} 7"#,
    ] {
      #expect(lines.contains(line[...]), "\(line)")
    }
    let fresh = self.lines(try await onLoop { GateFigures().families })
    #expect(fresh.count { $0.hasPrefix("podgate_requests_total{") } == AnswerKind.allCases.count)
  }

  private func scraped(_ request: String, gate: [UInt8]?) throws -> String {
    let scrape = Scrape(
      podd: { [PodctlMetrics.up(true)] }, gate: { gate },
      certificate: { Certificate.family(credentials: nil) })
    return try exchange(request) { scrape.serve($0) }
  }

  @Test func `a scrape has podgate's figures and podd's in one text`() async throws {
    let gate = try await onLoop { () -> [UInt8] in
      let response = GateFigures().response
      return MetricsResponse.body(of: response).map(Array.init) ?? []
    }
    let said = try scraped("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n", gate: gate)
    #expect(said.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(said.contains("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"))
    let parts = said.split(separator: "\r\n\r\n", maxSplits: 1)
    try #require(parts.count == 2)
    #expect(
      said.contains("Content-Length: \(parts[1].utf8.count)\r\n") && said.contains("Connection: close\r\n"))
    for line in ["podgate_open_streams 0\n", "podgate_up 1\n", "podctl_up 1\n"] {
      #expect(parts[1].contains(line))
    }
    #expect(parts[1].hasSuffix("\n# EOF\n") && parts[1].split(separator: "\n").count { $0 == "# EOF" } == 1)
  }

  @Test func `a scrape without podgate says so`() throws {
    let said = try scraped("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", gate: nil)
    #expect(said.contains("podgate_up 0\n") && said.contains("podctl_up 1\n") && said.hasSuffix("# EOF\n"))
  }

  @Test(arguments: [
    ("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "200"), ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
    ("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "405"), ("nonsense\r\n\r\n", "400"),
  ])
  func `other requests have no body`(request: String, status: String) throws {
    let said = try scraped(request, gate: nil)
    #expect(said.hasPrefix("HTTP/1.1 \(status) ") && said.hasSuffix("\r\n\r\n"))
  }

  @Test func `a certificate's end is read, and what is no certificate has none`() {
    #expect(Certificate.end(ofPEM: Array(Self.certificate.utf8)) == 4_128_816_314)
    for text in ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
      #expect(Certificate.end(ofPEM: Array(text.utf8)) == nil)
    }
  }

  /// openssl req -x509 -newkey ed25519 -nodes -subj /CN=test -days 27000.
  static let certificate = """
    -----BEGIN CERTIFICATE-----
    MIIBNDCB56ADAgECAhRKzdnaXcX161fymqXzYE6SyhJOGTAFBgMrZXAwDzENMAsG
    A1UEAwwEdGVzdDAgFw0yNjExMzAwNTI1MTRaGA8yMTAwMTEwMjA1MjUxNFowDzEN
    MAsGA1UEAwwEdGVzdDAqMAUGAytlcAMhAMGieFrRe3HFyUXj+2NEzhIpREEJdNnc
    l2S2bwRzzS3Lo1MwUTAdBgNVHQ4EFgQUOozmEZG8HsCMZ2y8Sk3DOezoXtcwHwYD
    VR0jBBgwFoAUOozmEZG8HsCMZ2y8Sk3DOezoXtcwDwYDVR0TAQH/BAUwAwEB/zAF
    BgMrZXADQQDrDHZBq85l5q6bsVlLFq9aMQRf+61TvYUPk0KLT2pFnM/wyh78mf7M
    RkgXQpcE1JhVUVkykMrjxiq0YWcyL0YB
    -----END CERTIFICATE-----
    """

  @Test(arguments: ["podctl.rules.yml", "podctl-dashboard.json"])
  func `every name of podgate's in the rules and the dashboard exists`(file: String) async throws {
    let top = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let text = try #require(readSmallFile("/\(top)/units/prometheus/\(file)", limit: 1 << 20))
    let page = String(
      try #require(readSmallFile("/\(top)/packaging/man/podgate.8.scd")).filter { $0 != "\\" })
    let scrape = Scrape(podd: { [] }, gate: { nil }, certificate: { Certificate.family(credentials: nil) })
    let own = try await Self.families()
    var names = Set(own.flatMap { family in family.samples.map { family.name + $0.suffix } })
    // Those of the scrape itself.
    names.formUnion(["podgate_up", scrape.certificate().name])
    for name in names where !name.hasSuffix("_bucket") && !name.hasSuffix("_count") && !name.hasSuffix("_sum")
    {
      #expect(page.contains("*\(name)*"), "\(name)")
    }
    let used = text.split(separator: "\n").filter { $0.contains("expr: ") || $0.contains("\"expr\": ") }
      .flatMap { $0.split { !($0.isLetter || $0.isNumber || $0 == "_") } }.filter { $0.hasPrefix("podgate_") }
    #expect(!used.isEmpty && Set(used.map(String.init)).subtracting(names) == [])
  }
}
