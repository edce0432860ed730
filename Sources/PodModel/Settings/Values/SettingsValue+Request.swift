internal import Time

extension SettingsValue {
  /// `RequestRate=`: `100/min`; `infinity` is no limit, which is nil.
  public static func requestRate(_ text: String) throws(ValueError) -> Tier.RequestRate? {
    if text == "infinity" { return nil }
    let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    let units: [String: Microseconds] = ["s": .seconds(1), "min": .minutes(1), "h": .hours(1)]
    guard parts.count == 2, let count = decimal(parts[0]), (1...1_000_000).contains(count),
      let interval = units[String(decoding: parts[1], as: UTF8.self)]
    else {
      throw ValueError(
        "\(quoted(text)) is not a number of requests from 1 to 1000000 with its interval, such as 10/s, 100/min or 1000/h"
      )
    }
    return Tier.RequestRate(count: Int(count), interval: interval)
  }

  /// A path of `ReservedPaths=`. It must be written in the one way in which the front door compares paths, because
  /// another spelling would reserve nothing.
  public static func requestPath(_ text: String) throws(ValueError) -> String {
    var path = Array(text.utf8)
    guard path.first == UInt8(ascii: "/"), path.count <= 1024 else {
      throw ValueError("\(quoted(text)) is not a path of at most 1024 bytes that begins with /")
    }
    let strange = "%;?#\\\"<>^`{|}".utf8
    guard path.allSatisfy({ (0x21...0x7E).contains($0) && !strange.contains($0) }) else {
      throw ValueError(
        "\(quoted(text)) holds a character that a canonical path has not; write it as the program reads it, without % and ;"
      )
    }
    if path.count > 1, path.last == UInt8(ascii: "/") { path.removeLast() }
    let segments = path.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard
      path.count == 1
        || segments.allSatisfy({ !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) })
    else {
      throw ValueError("\(quoted(text)) holds //, /./ or /../; write the path that is meant")
    }
    return String(decoding: path, as: UTF8.self)
  }
}
