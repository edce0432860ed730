/// The status line and header fields of a response, as bytes.
public struct ResponseHead: Sendable {
  public var status: Int
  /// Bytes of the body that follows (or would follow, for HEAD).
  public var contentLength: Int
  public var contentType = "text/plain; charset=utf-8"
  /// Whether this is the connection's last response.
  public var closes: Bool
  /// Further fields. Names and values must come from this program, never from a client.
  public var fields: [(name: String, value: String)] = []
  /// Seconds since 1970 for the Date field.
  public var date: Int

  public init(status: Int, contentLength: Int, closes: Bool, date: Int) {
    self.status = status
    self.contentLength = contentLength
    self.closes = closes
    self.date = date
  }

  public func serialized() -> [UInt8] {
    var text = "HTTP/1.1 \(status) \(reasonPhrase(status))\r\nDate: \(httpDate(date))\r\n"
    text += "Content-Type: \(contentType)\r\nContent-Length: \(contentLength)\r\n"
    text += "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
    for field in fields { text += "\(field.name): \(field.value)\r\n" }
    text += closes ? "Connection: close\r\n\r\n" : "Connection: keep-alive\r\n\r\n"
    return Array(text.utf8)
  }
}

/// RFC 9110's IMF-fixdate, as in `Sun, 06 Nov 1994 08:49:37 GMT`; without the locale of strftime.
func httpDate(_ seconds: Int) -> String {
  let days = seconds / 86400
  let clock = seconds % 86400
  // Days to civil date by whole eras of 400 years that begin in March, so that leap days come last.
  let shifted = days + 719_468
  let era = shifted / 146_097
  let dayOfEra = shifted % 146_097
  let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
  let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let marchMonth = (5 * dayOfYear + 2) / 153
  let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
  let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
  let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
  let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
  let time = "\(two(clock / 3600)):\(two(clock / 60 % 60)):\(two(clock % 60))"
  return "\(weekdays[days % 7]), \(two(day)) \(months[month - 1]) \(year) \(time) GMT"
}
