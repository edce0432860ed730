import PodModel
import Testing
import Time

@Suite struct WorkloadFileTests {
  private func parse(_ fragments: String..., name: String = "app") throws -> Workload {
    try WorkloadFile.parse(
      name: name, fragments: fragments.enumerated().map { SettingsFragment(path: "f\($0)", text: $1) })
  }

  @Test func everyKey() throws {
    let workload = try parse(
      """
      [Workload]
      ExecStart=/usr/bin/app --port ${PORT} \\
        "two words"
      Listen=socket
      Type=exec
      Probe=http:/healthz?x=1
      ProbeSec=20s
      ProbeTimeoutSec=2s
      ProbeFailures=5
      UsersTemplate=/etc/podctl/users.mustache
      ExecReload=/usr/bin/app reload ${POD}
      KillSignal=SIGINT
      TimeoutStartSec=30s
      TimeoutStopSec=infinity
      TimeoutDrainSec=5s
      Overlap=yes
      Environment=A=1 "B=two words"
      Environment=A=3
      IPAddressAllow=10.0.0.0/8 localhost
      ReadWritePaths=/srv/app -/srv/maybe/
      ReadOnlyPaths=/opt/app
      ReservedPaths=/admin/ /api/v2/reload
      """)
    var expected = Workload(name: "app")
    expected.execStart = ["/usr/bin/app", "--port", "${PORT}", "two words"]
    expected.listen = .socket
    expected.type = .exec
    expected.probe = .http(path: "/healthz?x=1")
    expected.probeInterval = .seconds(20)
    expected.probeTimeout = .seconds(2)
    expected.probeFailures = 5
    expected.usersTemplate = "/etc/podctl/users.mustache"
    expected.execReload = ["/usr/bin/app", "reload", "${POD}"]
    expected.killSignal = 2
    expected.timeoutStart = .seconds(30)
    expected.timeoutStop = .infinity
    expected.timeoutDrain = .seconds(5)
    expected.overlap = true
    expected.environment = ["B=two words", "A=3"]
    expected.ipAddressAllow = ["10.0.0.0/8", "localhost"]
    expected.readWritePaths = ["/srv/app", "-/srv/maybe"]
    expected.readOnlyPaths = ["/opt/app"]
    expected.reservedPaths = ["/admin", "/api/v2/reload"]
    #expect(workload == expected)
  }

  @Test(arguments: [
    "admin", "//admin", "/admin//x", "/a/./b", "/a/../b", "/.", "/..", "/a%2fb", "/a;b", "/a?b", "/a#b",
    #"/a\\b"#, "/ä",
  ])
  func aReservedPathHasOneSpelling(path: String) {
    #expect(throws: SettingsError.self) { try parse("[Workload]\nExecStart=/bin/x\nReservedPaths=\(path)") }
  }

  @Test func twoGenerationsCannotBindOnePort() {
    #expect(throws: SettingsError.self) {
      try parse("[Workload]\nExecStart=/bin/a\nListen=port\nOverlap=yes\n")
    }
  }

  @Test func workersShareOneSocketAndMayOverlapUnlessTheFileSaysNo() throws {
    let base = "[Workload]\nExecStart=/bin/a\nListen=socket\n"
    #expect(try parse(base).workers == .fixed(1))
    #expect(try !parse(base).overlap)
    let four = try parse(base + "Workers=4\n")
    #expect(four.workers.count(cpus: 9) == 4 && four.overlap)
    let automatic = try parse(base + "Workers=auto\nOverlap=no\n")
    #expect(automatic.workers.count(cpus: 9) == 9 && !automatic.overlap)
    for wrong in ["0", "65", "some", "Listen=port\nWorkers=2"] {
      let text = wrong.contains("=") ? base + wrong : base + "Workers=\(wrong)"
      #expect(throws: SettingsError.self) { try parse(text + "\n") }
    }
  }

  @Test func anEmptyAssignmentResets() throws {
    let workload = try parse(
      """
      [Workload]
      ExecStart=/bin/a
      Listen=port
      Environment=A=1
      ReadWritePaths=/a
      IPAddressAllow=any
      Probe=tcp
      ReloadSignal=HUP
      """,
      """
      [Workload]
      ExecStart=
      ExecStart=/bin/b
      Listen=
      Environment=
      Environment=B=2
      ReadWritePaths=
      ReadWritePaths=/b
      IPAddressAllow=
      Probe=
      ReloadSignal=
      """)
    var expected = Workload(name: "app")
    expected.execStart = ["/bin/b"]
    expected.environment = ["B=2"]
    expected.readWritePaths = ["/b"]
    #expect(workload == expected)
  }

  @Test(arguments: [
    ("", "f0: it is empty, which hides the workload"),
    ("[Workload]\nType=notify", "f0: ExecStart=: there is no program"),
    ("[Workload]\nExecStart=/a\nExecStart=", "f0:3: ExecStart=: there is no program"),
    ("[Workload]\nExecStart=/a\nExecStart=/b", "f0:3: ExecStart=: there is a command already"),
    ("[Workload]\nExecStart=sq host", "f0:2: ExecStart=: \"sq\" is not an absolute path"),
    ("[Workload]\nExecStart=-/bin/a", "f0:2: ExecStart=: \"-/bin/a\" begins with a prefix"),
    ("[Workload]\nExecStart=${PORT}", "f0:2: ExecStart=: \"${PORT}\" is not an absolute path"),
    ("[Workload]\nExecStart=/a ; /b", "f0:2: ExecStart=: one command only"),
    ("[Workload]\nExecStart=/a \"b", "f0:2: ExecStart=: a quote is opened"),
    ("[Workload]\nExecStart=/a ${HOME}", "f0:2: ExecStart=: unknown placeholder \"${HOME}\"; there are"),
    ("[Workload]\nExecStart=/a ${PORT", "f0:2: ExecStart=: ${ is not closed"),
    ("[Workload]\nExecStart=/a $PORT", "f0:2: ExecStart=: a lone $"),
    ("[Workload]\nEnvironment=A=${X}", "f0:2: Environment=: unknown placeholder"),
    ("[Workload]\nExecReload=kill", "f0:2: ExecReload="),
    ("[Workload]\nListen=Socket", "f0:2: Listen=: \"Socket\" is not socket or port"),
    ("[Workload]\nType=simple", "f0:2: Type=: \"simple\" is not notify or exec"),
    ("[Workload]\nProbe=http://host/", "f0:2: Probe="),
    ("[Workload]\nProbe=https:/x", "f0:2: Probe="),
    ("[Workload]\nProbe=http:/a b", "f0:2: Probe="),
    ("[Workload]\nProbe=http:x", "f0:2: Probe="),
    ("[Workload]\nProbeSec=0", "f0:2: ProbeSec="),
    ("[Workload]\nProbeFailures=0", "f0:2: ProbeFailures="),
    ("[Workload]\nUsersTemplate=x.mustache", "f0:2: UsersTemplate="),
    ("[Workload]\nKillSignal=SIGNONE", "f0:2: KillSignal="),
    ("[Workload]\nOverlap=maybe", "f0:2: Overlap="),
    ("[Workload]\nIPAddressAllow=10.0.0.0/8 nowhere", "f0:2: IPAddressAllow=: \"nowhere\""),
    ("[Workload]\nReadWritePaths=var", "f0:2: ReadWritePaths="),
    ("[Workload]\nUser=root", "f0:2: User=: unknown key; [Workload] knows ExecStart="),
    ("[Workload]\nExecStart=/a\nType=exec", "f0:3: Type=: nothing would say when the pod is ready"),
    (
      "[Workload]\nExecStart=/a\nReloadSignal=HUP\nExecReload=/b",
      "f0:4: ExecReload=: ExecReload= and ReloadSignal= exclude each other"
    ),
  ])
  func refuses(text: String, message: String) {
    let printed = failure { try parse(text) } ?? "accepted"
    #expect(printed.hasPrefix(message), "\(printed)")
  }

  @Test func placeholdersNeverSplitAWord() throws {
    let workload = try parse(
      """
      [Workload]
      ExecStart=/usr/bin/app ${ADDRESS}:${PORT} ${USERS_FILE} $$${POD}$$ $${POD} "${STATE_DIRECTORY}/a b"
      ExecReload=/bin/kill ${POD}
      Environment=DIR=${STATE_DIRECTORY} PRICE=$$5
      """)
    let expanded = workload.expand(
      Placeholders(
        address: "127.77.0.1", port: 10001, pod: PodName(number: 1),
        usersFile: "/run/with space/${PORT}", stateDirectory: "/var/lib/podctl/pods/pod-001"))
    #expect(
      expanded.execStart == [
        "/usr/bin/app", "127.77.0.1:10001", "/run/with space/${PORT}", "$pod-001$", "${POD}",
        "/var/lib/podctl/pods/pod-001/a b",
      ])
    #expect(expanded.execReload == ["/bin/kill", "pod-001"])
    #expect(expanded.environment == ["DIR=/var/lib/podctl/pods/pod-001", "PRICE=$5"])
  }
}
