internal import ArgumentParser
internal import Linux
internal import PodAPI
internal import PodModel
internal import Time

struct History: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract: "Show a pod's memory, minute by minute.")

  @OptionGroup var globals: GlobalOptions

  @Option(
    help: ArgumentHelp(
      "The start of the time to show (default: one hour ago; with --csv: all).", valueName: "time"))
  var since: String?

  @Option(help: ArgumentHelp("The end of the time to show.", valueName: "time"))
  var until: String?

  @Flag(help: "Print a trace for podctl leak-replay.")
  var csv = false

  @Flag(name: .customLong("all-generations"), help: "Show all generations, not only the last one.")
  var allGenerations = false

  @Argument(help: "The pod, e.g. pod-001.", completion: .pods)
  var pod: String

  func validate() throws {
    _ = try checkedPod(pod)
    _ = try range(now: Clock.wall)
    if csv && globals.json { throw ValidationError("give --csv or --json, not both") }
  }

  private func range(now: WallTime) throws -> (since: WallTime, until: WallTime) {
    func time(_ option: String, _ text: String?) throws -> WallTime? {
      guard let text else { return nil }
      do throws(ValueError) {
        return try TimeArgument.parse(text, now: now)
      } catch {
        throw ValidationError("--\(option): \(error)")
      }
    }
    let until = try time("until", until)
    let usual = csv ? .epoch : (until ?? now) - .hours(1)
    let since = try time("since", since) ?? usual
    if let until, until < since { throw ValidationError("--until is before --since") }
    return (since, until ?? .never)
  }

  func run() throws {
    let (since, until) = try range(now: Clock.wall)
    let all = try globals.context.client().history(ofPod: pod, since: since, until: until)
    let minutes = allGenerations ? all : HistoryTable.lastGeneration(all)
    if csv {
      if minutes.isEmpty {
        throw Failure(
          "there are no records of \(pod) for this time; podd records a pod only while the pod runs")
      }
      Output.write(HistoryTable.trace(minutes))
      return
    }
    globals.context.present(json: .array(minutes.map(\.json)), list: true) { HistoryTable.page(minutes, $0) }
  }
}
