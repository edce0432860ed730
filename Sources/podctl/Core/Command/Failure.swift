internal import ArgumentParser
internal import Glibc
internal import PodAPI

/// Why podctl fails: one line of text, and the exit status for scripts.
struct Failure: Error, CustomStringConvertible {
  let message: String
  let status: SysExit

  init(_ message: String, status: SysExit = .failed) {
    self.message = message
    self.status = status
  }

  init(_ error: CallError) {
    self.init(error.message, status: error.status)
  }

  var description: String { message }

  /// Prints what `error` means and returns the exit status. Help and version are no failures.
  static func report(_ error: any Error, verb: String?) -> Int32 {
    switch error {
    case let error as CallError: return report(Failure(error), verb: verb)
    case let error as Failure:
      if !error.message.isEmpty { Output.complain(error.message) }
      return error.status.rawValue
    default:
      let code = Podctl.exitCode(for: error)
      if code == .success {
        let text = Podctl.fullMessage(for: error)
        if !text.isEmpty { Output.write(Array((text + "\n").utf8)) }
        return 0
      }
      if let verb, !Podctl.verbs.contains(where: { $0._commandName == verb }) {
        Output.complain("\(quoted(verb)) is not a verb; podctl --help lists them")
        return SysExit.usage.rawValue
      }
      let text = Podctl.message(for: error).split(whereSeparator: \.isNewline).joined(separator: " ")
      let known = verb.map { " \($0)" } ?? ""
      Output.complain("\(text.lowercasedFirst); see podctl\(known) --help")
      return SysExit.usage.rawValue
    }
  }
}

extension String {
  /// ArgumentParser's sentences start with a capital and may end with a full stop; ours do not.
  fileprivate var lowercasedFirst: String {
    var text = self
    if text.hasSuffix(".") { text.removeLast() }
    return text.prefix(1).lowercased() + text.dropFirst()
  }
}
