internal import ArgumentParser

/// The options of every verb, which may stand before or after the verb.
struct GlobalOptions: ParsableArguments {
  @Option(
    name: [.customShort("H"), .long],
    help: ArgumentHelp("Operate on another host, over ssh.", valueName: "[user@]host"))
  var host: String?

  @Flag(name: .long, help: "Print one JSON value.")
  var json = false

  @Flag(name: .customLong("no-pager"), help: "Do not pipe long output into a pager.")
  var noPager = false

  @Flag(name: .customLong("no-legend"), help: "Print neither header nor footer.")
  var noLegend = false

  func validate() throws {
    guard let host else { return }
    // ssh would read a word that starts with a dash as an option.
    guard !host.isEmpty, !host.hasPrefix("-"),
      host.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else {
      throw ValidationError("-H wants a host's name, as [user@]host[:port]")
    }
  }

  var context: Context { Context(host: host, json: json, noPager: noPager, noLegend: noLegend) }

  /// Moves global options that stand before the verb behind it, where the verb's own parser looks for
  /// them. Anything else in front (`--help`, `--version`, a typing mistake) stays where it is.
  static func movedBehindVerb(_ arguments: [String]) -> [String] {
    var globals: [String] = []
    var rest = arguments[...]
    while let argument = rest.first, argument.hasPrefix("-") {
      switch argument {
      case "--json", "--no-pager", "--no-legend":
        globals.append(argument)
        rest = rest.dropFirst()
      case "-H", "--host":
        guard rest.count > 1 else { return arguments }
        globals += rest.prefix(2)
        rest = rest.dropFirst(2)
      case _ where argument.hasPrefix("--host=") || (argument.hasPrefix("-H") && argument.count > 2):
        let value = argument.hasPrefix("-H") ? argument.dropFirst(2) : argument.dropFirst(7)
        globals += ["--host", String(value)]
        rest = rest.dropFirst()
      default:
        return arguments
      }
    }
    guard let verb = rest.first else { return arguments }
    return [verb] + globals + rest.dropFirst()
  }
}
