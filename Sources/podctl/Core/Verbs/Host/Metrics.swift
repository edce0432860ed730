internal import ArgumentParser
internal import Linux
internal import OpenMetrics
internal import PodAPI

struct Metrics: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metrics",
    abstract: "Print what podd counts, for Prometheus.")

  @OptionGroup var globals: GlobalOptions

  @Option(
    help: ArgumentHelp(
      "Replace this file as a whole, instead of printing; for node_exporter's textfile collector.",
      valueName: "file"),
    completion: .file())
  var output: String?

  @Flag(help: "Leave out the series of single pods.")
  var summary = false

  func validate() throws {
    if output != nil && globals.json {
      throw ValidationError("--output writes OpenMetrics, so it excludes --json")
    }
  }

  func run() throws {
    let families: [MetricFamily]
    do throws(CallError) {
      let reply = try globals.context.client().metrics()
      families = summary ? PodctlMetrics.summary(reply) : PodctlMetrics.all(reply)
    } catch {
      // A file that stays as it was would say that all is well.
      if output != nil, error.status == .unreachable { try deliver([PodctlMetrics.up(false)]) }
      throw error
    }
    try deliver(families)
  }

  private func deliver(_ families: [MetricFamily]) throws {
    guard let output else {
      if globals.json {
        globals.context.present(json: .array(families.map(\.json))) { _ in "" }
      } else {
        Output.write(MetricsText.text(families))
      }
      return
    }
    do throws(Errno) {
      try Files.replace(
        output, with: String(decoding: MetricsText.text(families), as: UTF8.self), mode: 0o644)
    } catch {
      throw Failure("\(error)")
    }
  }
}
