internal import ArgumentParser
internal import PodAPI
internal import PodModel
internal import Time

struct Rollout: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollout",
    abstract: "Restart all pods of a tier gracefully, some at a time; stop at the first that fails.")

  @OptionGroup var globals: GlobalOptions

  @Option(help: "The tier.", completion: .tiers)
  var tier: String

  @Option(
    name: .customLong("max-parallel"),
    help: ArgumentHelp("The number of pods that are replaced at a time (default: 2).", valueName: "N"))
  var maxParallel: UInt32?

  @Option(
    name: .customLong("healthy-sec"),
    help: ArgumentHelp(
      "How long a pod must stay ready before the next one is replaced (default: 10).", valueName: "seconds"))
  var healthy: String?

  @Flag(help: "Continue the rollout that stopped, with the pods that it has not replaced.")
  var resume = false

  @Flag(help: "Return to an earlier version of the workload file, with which pods have served.")
  var revert = false

  func validate() throws { _ = try request() }

  /// The request to podd.
  func request() throws -> RolloutRequest {
    if tier.isEmpty { throw ValidationError("--tier needs the name of a tier; podctl tiers lists them") }
    if maxParallel == 0 { throw ValidationError("--max-parallel must be 1 or more") }
    if resume && revert { throw ValidationError("give --resume or --revert, not both") }
    return RolloutRequest(
      tier: tier, maxParallel: maxParallel, healthy: try healthy.map(Self.span),
      mode: resume ? .resume : revert ? .revert : .restart)
  }

  private static func span(_ text: String) throws -> Microseconds {
    do throws(ValueError) {
      let span = try SettingsValue.timeSpan(text)
      guard span < .infinity else { throw ValueError("infinity is not allowed here") }
      return span
    } catch {
      throw ValidationError("--healthy-sec: \(error)")
    }
  }

  func run() throws {
    let request = try request()
    var progress = Progress(total: 0, hidden: globals.context.json)
    let result: RolloutResult
    do throws(CallError) {
      defer { progress.clear() }
      result = try globals.context.client().rollout(request) { step in
        progress.show(
          Int(step.done), of: Int(step.total), note: printable("\(step.pod) \(step.state)"))
      }
    } catch {
      throw Self.failure(error, tier: tier)
    }
    globals.context.present(json: Self.json(result, tier: tier)) { Self.sentence(result, tier: tier, $0) }
  }

  /// podd's error names the pod and the reason; podctl adds the commands that continue.
  static func failure(_ error: CallError, tier: String) -> Failure {
    guard error.name == APIError.rolloutStopped.name else { return Failure(error) }
    let verb = "podctl rollout --tier \(tier)"
    return Failure(
      "\(error.message); go on with \(verb) --resume, or back with \(verb) --revert", status: error.status)
  }

  static func json(_ result: RolloutResult, tier: String) -> JSON {
    .object([
      ("tier", .string(tier)), ("replaced", .uint(UInt64(result.replaced))),
      ("total", .uint(UInt64(result.total))),
    ])
  }

  /// Empty unless the output is a terminal.
  static func sentence(_ result: RolloutResult, tier: String, _ style: Style) -> String {
    guard style.isTerminal else { return "" }
    let pods = "\(result.total) pod\(result.total == 1 ? "" : "s") of tier \(tier)"
    return result.total == 0
      ? "There was no pod of tier \(tier) to replace.\n" : "\(result.replaced) of \(pods) replaced.\n"
  }
}
