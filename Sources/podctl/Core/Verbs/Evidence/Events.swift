internal import ArgumentParser
internal import PodAPI

struct Events: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events",
    abstract: "Show what podd did, to which pod, and why.")

  @OptionGroup var globals: GlobalOptions

  @Flag(name: .shortAndLong, help: "Keep running and print new events as they occur.")
  var follow = false

  @Option(
    name: [.customShort("n"), .long],
    help: ArgumentHelp("Show only the last N events.", valueName: "N"))
  var lines: Int?

  func validate() throws {
    if let lines, lines < 0 { throw ValidationError("--lines must be 0 or more") }
    try JournalQuery.checkFollow(follow, globals.context)
  }

  func run() throws {
    try globals.context.handOver(
      ["events"] + (follow ? ["--follow"] : []) + (lines.map { ["--lines", String($0)] } ?? []))
    var query = JournalQuery.events
    query.follow = follow
    query.lines = lines
    query.noPager = globals.context.noPager
    try query.present(globals.context, \.eventJSON)
  }
}
