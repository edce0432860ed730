internal import CLinux
internal import Glibc

/// A failed system or library call: the errno, and what was being done to what.
public struct Errno: Error, Equatable, Sendable, CustomStringConvertible {
  /// Positive, as in errno(3).
  public let code: Int32
  /// What was attempted, e.g. `open /run/podctl`; may be empty.
  public let context: String

  public init(_ code: Int32, _ context: String = "") {
    self.code = abs(code)
    self.context = context
  }

  /// The calling thread's errno.
  public static func last(_ context: String = "") -> Errno { Errno(errno, context) }

  /// `ENOENT`, or the number when the C library knows no name for it.
  public var name: String { Self.name(of: code) }

  public static func name(of code: Int32) -> String {
    guard let text = linux_errno_name(abs(code)) else { return String(abs(code)) }
    return String(cString: text)
  }

  /// The C library's text for the error, such as `Permission denied`.
  public var text: String { String(cString: strerror(code)) }

  public var description: String { context.isEmpty ? text : "\(context): \(text)" }
}

/// Retries a call that a signal interrupted and turns -1 into a thrown ``Errno``.
@discardableResult
public func retrying(
  _ context: @autoclosure () -> String, _ body: () -> Int32
) throws(Errno) -> Int32 {
  while true {
    let result = body()
    if result >= 0 { return result }
    if errno != EINTR { throw Errno.last(context()) }
  }
}
