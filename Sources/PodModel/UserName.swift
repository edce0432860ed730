/// A valid user name (podctl(1)): 1–254 bytes of `[a-z0-9._%+@-]`, not starting with `.` or `-`. So it is safe as a
/// file name, as an argument and in a log line.
public struct UserName: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The longest name, in bytes: one less than NAME_MAX, which leaves room for a suffix byte.
  public static let maximumBytes = 254

  /// The name, lower-cased.
  public let text: String

  /// Checks and lower-cases a name. Nothing is trimmed or repaired.
  public init(validating text: String) throws(UserNameError) {
    try self.init(validating: text.utf8)
  }

  /// Checks raw bytes, which need not be UTF-8.
  public init(validating bytes: some Collection<UInt8>) throws(UserNameError) {
    guard let first = bytes.first else { throw .empty }
    let count = bytes.count
    guard count <= Self.maximumBytes else { throw .tooLong(bytes: count) }
    guard first != UInt8(ascii: "."), first != UInt8(ascii: "-") else { throw .badStart(first) }
    var lowered: [UInt8] = []
    lowered.reserveCapacity(count)
    for byte in bytes {
      guard Self.isAllowed(byte) else { throw .badByte(byte, position: lowered.count + 1) }
      let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
      lowered.append(isUpper ? byte + 32 : byte)
    }
    self.text = String(decoding: lowered, as: UTF8.self)
  }

  /// A name from podctl's own records, which hold only what ``init(validating:)`` has made. Nil for any other text: then
  /// somebody else has changed the record.
  public init?(stored text: String) {
    guard let name = try? UserName(validating: text), name.text == text else { return nil }
    self = name
  }

  public var description: String { text }

  public static func < (left: Self, right: Self) -> Bool { left.text < right.text }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "%"),
      UInt8(ascii: "+"), UInt8(ascii: "@"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}

/// Why a user name is refused. The text never repeats the name, which may be long or contain control bytes.
public enum UserNameError: Error, Hashable, Sendable, CustomStringConvertible {
  case empty
  case tooLong(bytes: Int)
  case badStart(UInt8)
  /// `position` counts from 1, in bytes.
  case badByte(UInt8, position: Int)

  public var description: String {
    switch self {
    case .empty:
      "the user name is empty"
    case .tooLong(let bytes):
      "the user name is \(bytes) bytes long; at most \(UserName.maximumBytes) are allowed"
    case .badStart(let byte):
      "the user name starts with \(Self.show(byte)); it must not start with '.' or '-'"
    case .badByte(let byte, let position):
      "the user name has \(Self.show(byte)) at byte \(position); "
        + "only letters, digits and . _ % + @ - are allowed"
    }
  }

  private static func show(_ byte: UInt8) -> String {
    guard (0x21...0x7E).contains(byte) else {
      let digits = String(byte, radix: 16, uppercase: true)
      return "0x" + (byte < 16 ? "0" : "") + digits
    }
    return "'\(Character(Unicode.Scalar(byte)))'"
  }
}
