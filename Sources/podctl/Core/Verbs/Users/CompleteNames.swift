internal import ArgumentParser
internal import PodAPI

/// Prints names for the shell's completion, one per line; prints nothing if podd cannot be reached.
struct CompleteNames: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "complete-names", abstract: "Print names for completion.", shouldDisplay: false)

  enum Kind: String, CaseIterable, ExpressibleByArgument { case users, pods, tiers }

  @OptionGroup var globals: GlobalOptions

  @Argument var kinds: [Kind]

  func run() throws {
    guard let client = try? globals.context.client() else { return }
    var names: [String] = []
    for kind in kinds {
      switch kind {
      case .users: names += (try? client.listUsers().map(\.user)) ?? []
      case .pods: names += (try? client.listPods().map(\.pod)) ?? []
      case .tiers: names += (try? client.listTiers().map(\.tier)) ?? []
      }
    }
    Output.write(Array(names.map { $0 + "\n" }.joined().utf8))
  }
}

extension CompletionKind {
  static var users: CompletionKind { .shellCommand("podctl complete-names users 2>/dev/null") }
  static var pods: CompletionKind { .shellCommand("podctl complete-names pods 2>/dev/null") }
  static var usersAndPods: CompletionKind { .shellCommand("podctl complete-names users pods 2>/dev/null") }
  static var tiers: CompletionKind { .shellCommand("podctl complete-names tiers 2>/dev/null") }
}
