import PodModel
import Testing

@Suite struct LaunchPlanTests {
  @Test func theBytesAreALengthAndStrings() {
    let plan = LaunchPlan([.uid(7), .bind([.writable, .exec], source: "/a", target: "/b"), .proc("/proc")])
    let body = "uid\u{0}7\u{0}bind\u{0}rw,exec\u{0}/a\u{0}/b\u{0}proc\u{0}/proc\u{0}"
    #expect(plan.encode() == [UInt8(body.utf8.count), 0, 0, 0] + Array(body.utf8))
  }

  @Test func everyOperationIsWrittenAsDocumented() {
    let plan = LaunchPlan([
      .cgroup("/x.scope"), .ident("pod-001"), .tmpfs(path: "/tmp", mode: 0o1777, options: "size=1M"),
      .bind([], source: "/a", target: "/b"),
      .bind([.optional, .recursive, .exec], source: "/a", target: "/b"),
      .dev("/dev"), .cgroupfs("/sys/fs/cgroup"), .symlink(content: "usr/bin", path: "/bin"),
      .file(mode: 0o644, path: "/f", content: ""), .readonly("/"), .listen(count: 2, names: "a:b"),
      .nofile(1024), .chdir("/tmp"), .env("A=1"), .arg("/bin/true"),
    ])
    let words = plan.encode().dropFirst(4).split(separator: 0, omittingEmptySubsequences: false).dropLast()
      .map { String(decoding: $0, as: UTF8.self) }
    #expect(
      words == [
        "cgroup", "/x.scope", "ident", "pod-001", "tmpfs", "/tmp", "1777", "size=1M",
        "bind", "ro", "/a", "/b", "bind", "ro,optional,recursive,exec", "/a", "/b",
        "dev", "/dev", "cgroupfs", "/sys/fs/cgroup", "symlink", "usr/bin", "/bin",
        "file", "644", "/f", "", "readonly", "/", "listen", "2", "a:b",
        "nofile", "1024", "chdir", "/tmp", "env", "A=1", "arg", "/bin/true",
      ])
  }

  @Test func aValueWithANulCannotBecomeAnOperation() {
    let plan = LaunchPlan([.env("A=\u{0}uid\u{0}0"), .arg("/bin/true")])
    #expect(plan.encode().dropFirst(4).elementsEqual("env\u{0}A=\u{0}arg\u{0}/bin/true\u{0}".utf8))
  }
}
