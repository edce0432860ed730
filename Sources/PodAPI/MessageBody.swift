public import Systemd

/// The arguments of a call, of a reply or of a signal, in the order of org.podctl1.xml.
public protocol MessageBody: Sendable {
  /// The D-Bus signature of all arguments.
  static var signature: String { get }
  /// Reads all arguments. Fails only if the message has other types: what the values mean is checked later.
  init(reading message: borrowing Message) throws(BusError)
  func append(to message: borrowing Message) throws(BusError)
}

/// The arguments of a method call.
public protocol CallBody: MessageBody {
  /// The user, pod or tier that the call is about, as the caller wrote it; "" if there is none.
  var subject: String { get }
}

/// No arguments.
public struct Nothing: CallBody {
  public static let signature = ""
  public var subject: String { "" }

  public init() {}
  public init(reading message: borrowing Message) throws(BusError) {}
  public func append(to message: borrowing Message) throws(BusError) {}
}

/// One structure of a list (decision 0007). Reads and appends the structure as a whole.
public protocol Row: Sendable {
  /// The D-Bus types of the fields, without the structure's parentheses.
  static var signature: String { get }
  init(reading message: borrowing Message) throws(BusError)
  func append(to message: borrowing Message) throws(BusError)
}

extension Array: MessageBody where Element: Row {
  public static var signature: String { "a(\(Element.signature))" }

  public init(reading message: borrowing Message) throws(BusError) {
    try self.init(reading: message, atMost: .max)
  }

  /// - Throws: also for more than `most` rows.
  init(reading message: borrowing Message, atMost most: Int) throws(BusError) {
    var rows: [Element] = []
    try message.readArray(of: "(\(Element.signature))") { () throws(BusError) in
      guard rows.count < most else { throw .moreThan(most) }
      rows.append(try Element(reading: message))
    }
    self = rows
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.openContainer(.array, "(\(Element.signature))")
    for row in self { try row.append(to: message) }
    try message.closeContainer()
  }
}
