public import ArgumentParser
internal import Glibc
internal import PodAPI

/// `podctl`, the command. Every verb is a file under `Verbs/`.
public struct Podctl: ParsableCommand {
  public static let configuration = CommandConfiguration(
    commandName: "podctl",
    abstract: "Put many users into few processes, each inside its limits.",
    usage: "podctl [OPTIONS...] VERB ...",
    discussion: """
      Exit status: 0 done; 1 it failed; 64 wrong usage or bad input; 69 podd is not reachable; \
      75 temporary, try again; 77 not permitted. See podctl(1).
      """,
    version: Version.text,
    groupedSubcommands: [
      CommandGroup(
        name: "Users",
        subcommands: [
          Provision.self, Deprovision.self, Suspend.self, Resume.self, Token.self, Users.self,
        ]),
      CommandGroup(
        name: "Pods",
        subcommands: [
          Pods.self, Status.self, Start.self, Stop.self, Restart.self, Recycle.self, Rollout.self, Evict.self,
          Freeze.self, Thaw.self, Wake.self, Reset.self, Tiers.self,
        ]),
      CommandGroup(
        name: "What happened",
        subcommands: [
          Explain.self, History.self, Top.self, Metrics.self, Logs.self, Events.self, LeakReplay.self,
          Doctor.self, CompleteNames.self,
        ]),
    ])

  /// For help and completion only; on a command line they are moved behind the verb before it is parsed.
  @OptionGroup var globals: GlobalOptions

  public init() {}

  /// Runs a command line (without the program's name) and ends the process.
  public static func mainAndExit(_ arguments: [String] = Array(CommandLine.arguments.dropFirst())) -> Never {
    let arguments = GlobalOptions.movedBehindVerb(arguments)
    do {
      if let plain = Listing.plain(arguments) {
        try plain.list.show(plain.context)
      } else if arguments == ["--version"] {
        // Without the whole tree, which ArgumentParser would build first.
        Output.write(Array((Version.text + "\n").utf8))
      } else if arguments == ["--generate-completion-script", "bash"] {
        Output.write(Array(Completion.bash.utf8))
      } else {
        var command = try quicklyParsed(arguments) ?? parseAsRoot(arguments)
        try command.run()
      }
    } catch {
      Glibc.exit(Failure.report(error, verb: arguments.first.flatMap { $0.hasPrefix("-") ? nil : $0 }))
    }
    Glibc.exit(SysExit.done.rawValue)
  }
}

extension Podctl {
  static var verbs: [any ParsableCommand.Type] {
    configuration.groupedSubcommands.flatMap(\.subcommands)
  }

  /// The command, where the verb's own parser accepts the command line. The whole tree, which takes some
  /// milliseconds to build, is needed only for help and for errors that name the verb.
  static func quicklyParsed(_ arguments: [String]) -> (any ParsableCommand)? {
    guard let name = arguments.first, let verb = verbs.first(where: { $0._commandName == name }) else {
      return nil
    }
    guard let command = try? verb.parseAsRoot(Array(arguments.dropFirst())), type(of: command) == verb else {
      return nil
    }
    return command
  }
}

/// The release, as `podctl --version` prints it.
public enum Version {
  public static let number = Release.version
  static let text = "podctl \(number)"
}
