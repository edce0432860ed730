import Glibc
import PodModel
import Testing
import Time

/// The files that the package installs under /usr/lib/podctl say what podctl-tier(5) and podctl-workload(5) say.
@Suite struct DefaultSettingsTests {
  private struct Row {
    var users: Int
    var data: UInt64
    var memoryMax: UInt64
    var memoryHigh: UInt64
    var quota: Microseconds
    var tasks: UInt64
    var rank: Int
  }

  @Test func tiersAreThoseOfTheManual() throws {
    let megabyte: UInt64 = 1 << 20
    let table: [String: Row] = [
      "free": Row(
        users: 20, data: megabyte, memoryMax: 96 * megabyte, memoryHigh: 64 * megabyte,
        quota: .milliseconds(500),
        tasks: 640, rank: 0),
      "basic": Row(
        users: 10, data: 10 * megabyte, memoryMax: 256 * megabyte, memoryHigh: 208 * megabyte,
        quota: .seconds(1), tasks: 640, rank: 10),
      "pro": Row(
        users: 5, data: 100 * megabyte, memoryMax: 1024 * megabyte, memoryHigh: 896 * megabyte,
        quota: .seconds(2), tasks: 640, rank: 20),
      "enterprise": Row(
        users: 1, data: 1024 * megabyte, memoryMax: 3072 * megabyte, memoryHigh: 2700 * megabyte,
        quota: .seconds(4), tasks: 1024, rank: 30),
    ]
    for (name, row) in table {
      let tier = try TierFile.parse(
        name: name, fragments: [try fragment("tiers/\(name).conf")], physicalMemory: 1 << 32)
      var expected = Tier(name: name)
      expected.usersPerPod = row.users
      expected.dataMax = row.data
      expected.memoryMax = row.memoryMax
      expected.memoryHigh = row.memoryHigh
      expected.memorySwapMax = 0
      expected.cpuQuotaPerSec = row.quota
      expected.tasksMax = row.tasks
      expected.rank = row.rank
      #expect(tier == expected)
    }
  }

  @Test(arguments: [
    ("podserve", Workload.Listen.socket, Workload.StartType.notify, "/usr/lib/podctl/podserve"),
    ("sq", .port, .exec, "/usr/bin/sq"),
    ("gunicorn", .socket, .notify, "/usr/bin/gunicorn"),
    ("redis", .port, .notify, "/usr/bin/redis-server"),
  ])
  func workloads(name: String, listen: Workload.Listen, type: Workload.StartType, program: String) throws {
    let workload = try WorkloadFile.parse(
      name: name, fragments: [try fragment("workloads/\(name).conf")])
    #expect(workload.listen == listen)
    #expect(workload.type == type)
    #expect(workload.execStart.first == program)
    #expect(workload.probe != nil)
  }

  @Test func sqKnowsItsUsersFromATemplate() throws {
    let workload = try WorkloadFile.parse(name: "sq", fragments: [try fragment("workloads/sq.conf")])
    #expect(workload.execStart == ["/usr/bin/sq", "host", "${PORT}", "--config", "${USERS_FILE}"])
    #expect(workload.usersTemplate == "/usr/share/podctl/templates/sq.json.mustache")
    #expect(workload.reloadSignal == nil && workload.execReload.isEmpty)
  }

  /// The commented lines are the defaults: with the comments taken away, nothing changes.
  @Test func poddConfShowsTheDefaults() throws {
    let file = try fragment("podd.conf")
    #expect(try PoddSettings.parse([file]) == PoddSettings())
    var shown = 0
    let lines = String(decoding: file.contents, as: UTF8.self).split(separator: "\n").map { line in
      guard line.hasPrefix("#"), line.contains("="), !line.hasPrefix("# ") else { return String(line) }
      shown += 1
      return String(line.dropFirst())
    }
    let plain = SettingsFragment(path: file.path, text: lines.joined(separator: "\n"))
    #expect(try PoddSettings.parse([plain]) == PoddSettings())
    #expect(shown == 15)
  }

  private func fragment(_ name: String) throws -> SettingsFragment {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    let path = "/\(root)/units/defaults/\(name)"
    let file = try #require(fopen(path, "r"), "\(path)")
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&buffer, 1, buffer.count, file)
    return SettingsFragment(path: path, contents: Array(buffer.prefix(count)))
  }
}
