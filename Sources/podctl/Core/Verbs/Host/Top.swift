internal import ArgumentParser
internal import Glibc
internal import Linux
internal import PodAPI
internal import PodModel
internal import Time

struct Top: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top",
    abstract: "Watch the pods: state, memory, pressure, CPU, requests, restarts, users.")

  @OptionGroup var globals: GlobalOptions

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The interval between two updates (default: 1).", valueName: "seconds"))
  var delay: String?

  @Option(
    name: [.customShort("n"), .long],
    help: ArgumentHelp("Print N tables and exit.", valueName: "N"))
  var iterations: Int?

  @Flag(name: .shortAndLong, help: "Print one table after the other, for a file or a pipe.")
  var batch = false

  @Option(
    help: ArgumentHelp(
      "The column to sort by: memory, cpu, pressure, restarts, users, name, requests or latency.",
      valueName: "column"))
  var order: TopOrder = .memory

  @Flag(help: "Reverse the order.")
  var reverse = false

  func validate() throws {
    _ = try view()
    if let iterations, iterations < 1 { throw ValidationError("--iterations must be 1 or more") }
    if globals.json && (batch || iterations ?? 1 != 1) {
      throw ValidationError("--json prints one value, so it excludes --batch and --iterations")
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
      throw ValidationError("--delay must be from 1s to 1min; podd samples no pod more than once a second")
    }
    return view
  }

  func run() throws {
    let context = globals.context
    let client = try context.client()
    var view = try view()
    if context.json {
      let rows = TopReadings.first(try client.listUsage())
      let requests = try client.listRequests()?.ofPods
      let objects = view.order.sorted(rows, reverse: view.reverse).map { row in
        row.usage.json(requests.map { $0[row.usage.pod] ?? RequestCounts() })
      }
      context.present(json: .array(objects)) { _ in "" }
    } else if batch || iterations != nil || !Style.current.isTerminal {
      try printTables(&view, client)
    } else {
      var loop = TopLoop(view, context, client: client)
      try loop.run()
    }
  }

  /// Fetches a sample before the first table, so that this table can show CPU usage, too.
  private func printTables(_ view: inout TopView, _ client: Client) throws {
    var readings = TopReadings()
    _ = readings.rows(try client.listUsage(), try client.listRequests())
    var left = iterations ?? (batch ? Int.max : 1)
    var style = Style.current
    style.legend = !globals.noLegend
    style.columns = nil
    while left > 0 {
      usleep(useconds_t(view.delay.count))
      view.rows = readings.rows(try client.listUsage(), try client.listRequests())
      view.readAt = Clock.wall
      Output.write(Array(view.page(style).utf8))
      left -= 1
      if left > 0 { Output.write([UInt8(ascii: "\n")]) }
    }
  }
}

extension TopOrder: ExpressibleByArgument {}
