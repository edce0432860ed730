internal import ArgumentParser
internal import PodAPI
internal import PodModel

struct LeakReplay: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leak-replay",
    abstract: "Run the leak detector over a recorded trace.",
    discussion: """
      The trace is CSV with the header time_s,anon,swap,file,current,active_users, as podctl history --csv \
      writes it. Each row is one sample; sizes are in bytes, and the intervals may differ. podd need not run.
      """)

  @OptionGroup var globals: GlobalOptions

  @Option(
    name: .customLong("memory-max"),
    help: ArgumentHelp("The pod's MemoryMax=, such as 96M, or infinity.", valueName: "size"))
  var memoryMax: String

  @Option(
    name: .customLong("memory-high"),
    help: ArgumentHelp("The pod's MemoryHigh= (default: none).", valueName: "size"))
  var memoryHigh: String?

  @Argument(help: "The trace, - for standard input.", completion: .file(extensions: ["csv"]))
  var trace: String

  func validate() throws {
    _ = try Self.limit(memoryMax, "--memory-max")
    _ = try memoryHigh.map { try Self.limit($0, "--memory-high") }
    if trace.isEmpty { throw ValidationError("the trace is missing; give a file, or - for standard input") }
  }

  func run() throws {
    try globals.context.handOver(
      ["leak-replay", "--memory-max=\(memoryMax)"] + (memoryHigh.map { ["--memory-high=\($0)"] } ?? [])
        // A name that begins with a dash would be an option there.
        + [trace.hasPrefix("-") && trace != "-" ? "./\(trace)" : trace])
    var replay = Replay(
      memoryMax: try Self.limit(memoryMax, "--memory-max"),
      memoryHigh: try memoryHigh.flatMap { try Self.limit($0, "--memory-high") })
    try replay.read(trace)
    globals.context.present(json: replay.json) { replay.page($0) }
  }

  /// A size as in podctl-tier(5), but not a percentage, which would depend on this host's memory.
  private static func limit(_ text: String, _ option: String) throws -> UInt64? {
    do throws(ValueError) {
      let bytes = try SettingsValue.size(text)
      guard bytes != 0 else {
        throw ValueError("0 is not a limit for a pod; write the pod's limit, such as 96M")
      }
      return bytes
    } catch {
      throw ValidationError("\(option): \(error)")
    }
  }
}
