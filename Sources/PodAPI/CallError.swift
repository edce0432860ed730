public import Systemd

/// A call that failed, with what podctl prints and exits with.
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

  /// Whether the bus was there and answered, be it that podd is not: the connection is still good.
  public var isAnswer: Bool {
    !name.hasPrefix("System.Error.") && name != "org.freedesktop.DBus.Error.Disconnected"
  }

  /// The error of a call; adds the way out where podd is not there to name it.
  public init(_ error: BusError, host: String? = nil) {
    // ssh connects in the background: that it failed is told by the first call.
    if host != nil && error.name.hasPrefix("System.Error.") {
      self = .connecting(error, host: host)
      return
    }
    var text = error.message.split(separator: "\n").joined(separator: " ")
    let status = SysExit(errorName: error.name)
    // polkit and the bus speak in sentences; ours goes on.
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
