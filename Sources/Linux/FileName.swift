internal import Glibc

/// The name of a file in its directory: bytes, as the kernel has them.
///
/// A name need not be UTF-8, and a `String` repairs what is not: the repaired name is the name of another
/// file, or of none. So names that a stranger may have made are of this type from readdir(3) to the call
/// that uses them, and become text only in ``description``.
public struct FileName: Hashable, Sendable, CustomStringConvertible {
  /// With the NUL at the end that system calls need.
  public let bytes: [CChar]

  public init(_ text: String) {
    bytes = Array(text.utf8CString)
  }

  /// Copies a C string.
  init(copying name: UnsafePointer<CChar>) {
    bytes = Array(UnsafeBufferPointer(start: name, count: strlen(name) + 1))
  }

  /// The name as text, if it is UTF-8.
  public var text: String? {
    String(validating: bytes.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Printable ASCII: every other byte, and the backslash, stands as `\xHH`. Harmless in logs and on
  /// terminals, and unambiguous.
  public var description: String { Self.escaped(bytes.dropLast().lazy.map { UInt8(bitPattern: $0) }) }

  static func escaped(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for byte in bytes {
      if (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\\") {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        text += byte < 16 ? "\\x0" : "\\x"
        text += String(byte, radix: 16)
      }
    }
    return text
  }
}
