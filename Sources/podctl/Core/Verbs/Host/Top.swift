internal import ArgumentParser
internal import Glibc
internal import Linux
internal import PodAPI
internal import PodModel

struct Top: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Watch the pods: state, memory, pressure, CPU, restarts, users.")

  @OptionGroup var globals: GlobalOptions

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("How long between two readings; 1 second otherwise.", valueName: "seconds"))
  var delay: String?

  @Option(
    name: [.customShort("n"), .long],
    help: ArgumentHelp("Print so many tables and end.", valueName: "number"))
  var iterations: Int?

  @Flag(name: .shortAndLong, help: "Print one table after the other, for a file or a pipe.")
  var batch = false

  @Option(
    help: ArgumentHelp("What to sort by: memory, cpu, pressure, restarts, users, name.", valueName: "column"))
  var order: TopOrder = .memory

  @Flag(help: "Sort the other way round.")
  var reverse = false

  func validate() throws {
    _ = try view()
    if let iterations, iterations < 1 { throw ValidationError("--iterations wants a number from 1 up") }
    if globals.json && (batch || iterations ?? 1 != 1) {
      throw ValidationError("--json prints one value, so it goes with neither --batch nor --iterations")
    }
  }

  private func view() throws -> TopView {
    var view = TopView()
    view.order = order
    view.reverse = reverse
    view.host = globals.host ?? ""
    guard let delay else { return view }
    do throws(ValueError) {
      view.delay = try SettingsValue.timeSpan(delay)
    } catch {
      throw ValidationError("--delay: \(error)")
    }
    guard TopView.delays.contains(view.delay) else {
      throw ValidationError("--delay wants a time from 1s to 1min; podd reads no pod more often")
    }
    return view
  }

  func run() throws {
    let context = globals.context
    let client = try context.client()
    var view = try view()
    if context.json {
      let rows = TopReadings.first(try client.listUsage())
      let sorted = view.order.sorted(rows, reverse: view.reverse)
      context.present(json: .array(sorted.map(\.usage.json))) { _ in "" }
    } else if batch || iterations != nil || !Style.current.isTerminal {
      try printTables(&view, client)
    } else {
      var loop = TopLoop(view, context, client: client)
      try loop.run()
    }
  }

  /// The first table too has what was used since something: since the reading before it.
  private func printTables(_ view: inout TopView, _ client: Client) throws {
    var readings = TopReadings()
    _ = readings.rows(try client.listUsage())
    var left = iterations ?? (batch ? Int.max : 1)
    var style = Style.current
    style.legend = !globals.noLegend
    style.columns = nil
    while left > 0 {
      usleep(useconds_t(view.delay))
      view.rows = readings.rows(try client.listUsage())
      view.readAt = realtimeNow()
      Output.write(Array(view.page(style).utf8))
      left -= 1
      if left > 0 { Output.write([UInt8(ascii: "\n")]) }
    }
  }
}

extension TopOrder: ExpressibleByArgument {}
