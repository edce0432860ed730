internal import ArgumentParser
internal import PodAPI

struct Provision: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Place a user in a pod and wait until it is ready.",
    discussion: """
      Doing it again changes nothing. With --from-file, one "USER [TIER]" a line; empty lines and lines \
      that start with # are skipped. A file with a line that cannot be right is refused as a whole, \
      before anything is changed.
      """)

  @OptionGroup var globals: GlobalOptions

  @Option(help: "The user's tier; the default tier of podd.conf otherwise.", completion: .tiers)
  var tier: String?

  @Flag(help: "Only place the user; podctl start launches the pod.")
  var cold = false

  @Option(
    name: .customLong("from-file"),
    help: ArgumentHelp("Read users from a file, - for standard input.", valueName: "file"),
    completion: .file())
  var file: String?

  @Argument(help: "The user, an e-mail address or a plain name.", completion: .users)
  var user: String?

  func validate() throws {
    switch (user, file) {
    case (nil, nil): throw ValidationError("which user? Give a name, or --from-file")
    case (.some, .some): throw ValidationError("give a user or --from-file, not both")
    case (.some(let user), nil): _ = try checkedUser(user)
    case (nil, .some): break
    }
    if tier == "" { throw ValidationError("--tier wants a tier's name; podctl tiers lists them") }
  }

  func run() throws {
    if let file {
      try runBatch(file)
    } else if let user {
      let placement = try globals.context.client().provision(user: checkedUser(user), tier: tier, cold: cold)
      globals.context.present(json: placement.json) { Self.sentence(placement, $0) }
    }
  }

  /// What a person reads; the same facts as `--json`.
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
