internal import CSystemd
internal import Glibc

/// A failed D-Bus call: the error's D-Bus name, its message for people, and the errno closest to it.
public struct BusError: Error, Sendable, CustomStringConvertible {
  /// E.g. `org.freedesktop.DBus.Error.AccessDenied`.
  public let name: String
  public let message: String
  /// Positive, as in errno(3).
  public let code: Int32

  /// - Parameter code: EIO unless given.
  public init(name: String, message: String, code: Int32? = nil) {
    self.name = name
    self.message = message
    self.code = code ?? EIO
  }

  /// From a negative errno that an sd-bus function returned.
  init(_ result: CInt, _ what: String) {
    let errno = Errno(result, what)
    self.init(name: "System.Error.\(errno.name)", message: errno.description, code: errno.code)
  }

  /// From the error reply that libsystemd filled in, or the errno when it did not.
  init(_ error: borrowing sd_bus_error, _ result: CInt, _ what: String) {
    guard let name = error.name else {
      self.init(result, what)
      return
    }
    self.init(
      name: String(cString: name), message: error.message.map { String(cString: $0) } ?? what,
      code: withUnsafePointer(to: error) { sd_bus_error_get_errno($0) })
  }

  public var description: String { message }

  /// Whether the peer, or the bus itself, was not there: a later try may succeed.
  public var isUnreachable: Bool {
    switch name {
    case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
      "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Disconnected",
      "org.freedesktop.DBus.Error.Timeout", "System.Error.ECONNRESET", "System.Error.ENOTCONN",
      "System.Error.ETIMEDOUT", "System.Error.EPIPE":
      true
    default: false
    }
  }
}

/// Throws the errno that an sd-bus function returned as a negative number.
@discardableResult
func busCheck(_ result: CInt, _ what: @autoclosure () -> String) throws(BusError) -> CInt {
  if result < 0 { throw BusError(result, what()) }
  return result
}
