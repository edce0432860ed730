internal import ArgumentParser
internal import PodAPI

struct Provision: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "provision",
    abstract: "Place a user in a pod and wait until it is ready.",
    discussion: """
      Provisioning a user again changes nothing. With --from-file, each line has the form USER or USER TIER; \
      empty lines and lines that begin with # are skipped. If any line is invalid, the whole file is refused \
      and nothing is changed.
      """)

  @OptionGroup var globals: GlobalOptions

  @Option(help: "The tier of the user (default: DefaultTier= of podd.conf).", completion: .tiers)
  var tier: String?

  @Flag(help: "Place the user without launching the pod; the first connection wakes it.")
  var cold = false

  @Option(
    name: .customLong("from-file"),
    help: ArgumentHelp("Provision all users in a file, or on standard input if it is -.", valueName: "file"),
    completion: .file())
  var file: String?

  @Argument(help: "The user, an e-mail address or a plain name.", completion: .users)
  var user: String?

  func validate() throws {
    switch (user, file) {
    case (nil, nil): throw ValidationError("the user is missing; give a name, or --from-file")
    case (.some, .some): throw ValidationError("give a user or --from-file, not both")
    case (.some(let user), nil): _ = try checkedUser(user)
    case (nil, .some): break
    }
    if tier == "" { throw ValidationError("--tier needs the name of a tier; podctl tiers lists them") }
  }

  func run() throws {
    if let file {
      try runBatch(file)
    } else if let user {
      let placement = try globals.context.client().provision(user: checkedUser(user), tier: tier, cold: cold)
      globals.context.present(json: placement.json) { Self.sentence(placement, $0) }
    }
  }

  /// The text for people, with the facts of `--json`.
  static func sentence(_ placement: Placement, _ style: Style) -> String {
    let state = style.paint(placement.state, Colour(state: placement.state))
    let unit = placement.unit.map { ", \($0)" } ?? ""
    return
      "\(placement.user) is in \(placement.pod) (\(placement.tier), \(state)\(unit))"
      + " at \(placement.address):\(placement.port).\n"
  }

  private func runBatch(_ file: String) throws {
    let items = try ProvisionFile.read(file, defaultTier: tier)
    let client = try globals.context.client()
    var progress = Progress(total: items.count, hidden: globals.context.json)
    let outcome = ProvisionBatch.run(items, cold: cold) { item, cold throws(CallError) in
      try client.provision(user: item.user, tier: item.tier, cold: cold)
    } progress: { done in
      progress.show(done)
    }
    progress.clear()
    for failure in outcome.failures { Output.complain("\(failure.item.user): \(failure.error.message)") }
    globals.context.present(json: outcome.json) { _ in outcome.summary }
    if let worst = outcome.worstStatus { throw Failure("", status: worst) }
  }
}
