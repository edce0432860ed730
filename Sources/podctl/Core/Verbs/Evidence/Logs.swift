internal import ArgumentParser
internal import PodAPI
internal import PodModel

struct Logs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the journal of a pod, or of a user's pod.")

  @OptionGroup var globals: GlobalOptions

  @Flag(name: .shortAndLong, help: "Follow: print new entries as they come.")
  var follow = false

  @Option(name: [.customShort("n"), .long], help: "Show only the last so many entries.")
  var lines: Int?

  @Argument(help: ArgumentHelp("A user or a pod.", valueName: "user|pod"), completion: .usersAndPods)
  var name: String

  func validate() throws {
    _ = try Target(name)
    if let lines, lines < 0 { throw ValidationError("--lines wants a number from 0 up") }
    try JournalQuery.checkFollow(follow, globals.context)
  }

  func run() throws {
    try globals.context.handOver(
      ["logs", name] + (follow ? ["--follow"] : []) + (lines.map { ["--lines", String($0)] } ?? []))
    var query: JournalQuery
    switch try Target(name) {
    case .pod(let pod): query = .pod(pod)
    case .user(let user): query = .user(user.text, pod: try globals.context.client().user(user).string("Pod"))
    }
    query.follow = follow
    query.lines = lines
    query.noPager = globals.context.noPager
    try query.present(globals.context, \.logJSON)
  }
}
