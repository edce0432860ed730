internal import ArgumentParser
internal import PodAPI

struct Events: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what podd did, to which pod, and why.")

  @OptionGroup var globals: GlobalOptions

  @Flag(name: .shortAndLong, help: "Follow: print new events as they come.")
  var follow = false

  @Option(name: [.customShort("n"), .long], help: "Show only the last so many events.")
  var lines: Int?

  func validate() throws {
    if let lines, lines < 0 { throw ValidationError("--lines wants a number from 0 up") }
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
