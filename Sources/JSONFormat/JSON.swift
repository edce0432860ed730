/// A JSON value to be written. Objects keep the order of their keys (podctl(1), "JSON").
public indirect enum JSON: Sendable {
  case null
  case bool(Bool)
  case int(Int64)
  case uint(UInt64)
  case double(Double)
  case string(String)
  case array([JSON])
  case object([(key: String, value: JSON)])

  /// The string; null for nil and for "", which stands for "no value" on D-Bus.
  public static func optional(_ text: String?) -> JSON {
    guard let text, !text.isEmpty else { return .null }
    return .string(text)
  }

  public static func optional(_ number: (some UnsignedInteger)?) -> JSON {
    number.map { .uint(UInt64($0)) } ?? .null
  }

  /// The value on one line, in UTF-8.
  public var text: String {
    var bytes: [UInt8] = []
    write(into: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the value in UTF-8, without spaces or a line end.
  public func write(into output: inout [UInt8]) {
    switch self {
    case .null: output += "null".utf8
    case .bool(let flag): output += (flag ? "true" : "false").utf8
    case .int(let number): output += String(number).utf8
    case .uint(let number): output += String(number).utf8
    // JSON cannot express infinity and "not a number".
    case .double(let number): output += (number.isFinite ? number.description : "null").utf8
    case .string(let text): Self.write(text, into: &output)
    case .array(let items):
      output.append(UInt8(ascii: "["))
      for (index, item) in items.enumerated() {
        if index > 0 { output.append(UInt8(ascii: ",")) }
        item.write(into: &output)
      }
      output.append(UInt8(ascii: "]"))
    case .object(let members):
      output.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { output.append(UInt8(ascii: ",")) }
        Self.write(member.key, into: &output)
        output.append(UInt8(ascii: ":"))
        member.value.write(into: &output)
      }
      output.append(UInt8(ascii: "}"))
    }
  }

  /// RFC 8259, section 7. A Swift string is always valid Unicode, so no lone surrogate can appear.
  private static func write(_ text: String, into output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): output += "\\\"".utf8
      case UInt8(ascii: "\\"): output += "\\\\".utf8
      case 0x0A: output += "\\n".utf8
      case 0x0D: output += "\\r".utf8
      case 0x09: output += "\\t".utf8
      // DEL need not be escaped, but a terminal should not get it raw.
      case 0..<0x20, 0x7F:
        output += "\\u00".utf8
        output.append(hexDigit(byte >> 4))
        output.append(hexDigit(byte & 15))
      default: output.append(byte)
      }
    }
    output.append(UInt8(ascii: "\""))
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }
}
