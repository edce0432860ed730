public import Systemd

/// A failed call: what podctl prints, and its exit status.
public struct CallError: Error, Sendable, CustomStringConvertible {
  /// The error's D-Bus name.
  public let name: String
  /// One line: what is wrong and what to do.
  public let message: String
  public let status: SysExit

  public init(name: String, message: String, status: SysExit) {
    self.name = name
    self.message = message
    self.status = status
  }

  public var description: String { message }

  /// Whether the bus replied, even if podd did not: the connection can be used again.
  public var isAnswer: Bool {
    !name.hasPrefix("System.Error.") && name != "org.freedesktop.DBus.Error.Disconnected"
  }

  /// Adds what to do about it where the error does not come from podd, which would say it.
  public init(_ error: BusError, host: String? = nil) {
    // ssh connects in the background, so only the first call reports that it failed.
    if host != nil && error.name.hasPrefix("System.Error.") {
      self = .connecting(error, host: host)
      return
    }
    var text = error.message.split(separator: "\n").joined(separator: " ")
    let status = SysExit(errorName: error.name)
    // polkit and the bus send a sentence; podctl continues it.
    if status == .denied && text.hasSuffix(".") { text.removeLast() }
    let message =
      switch status {
      case .unreachable: "podd is not reachable: \(text); see systemctl status podd.service"
      case .denied where !text.contains("podctl"):
        "not permitted: \(text); be root or a member of group podctl"
      case .denied, .done, .failed, .usage, .temporary: text
      }
    self.init(name: error.name, message: message, status: status)
  }

  /// The bus itself could not be reached.
  static func connecting(_ error: BusError, host: String?) -> CallError {
    let message =
      if let host {
        "cannot reach \(host): \(error.message); does ssh \(host) systemd-stdio-bridge work?"
      } else {
        "podd is not reachable: \(error.message); podctl doctor says what this host lacks"
      }
    return CallError(name: error.name, message: message, status: .unreachable)
  }
}
