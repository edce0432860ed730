import HTTPWire
import OpenMetrics

/// An HTTP response whose body is metrics.
enum MetricsResponse {
  private static let last = Array("# EOF\n".utf8)

  /// - Parameters:
  ///   - own: Families that the caller has.
  ///   - others: The text of another program, with its last line.
  ///   - hasBody: False for HEAD.
  static func whole(
    _ own: [MetricFamily], after others: ArraySlice<UInt8> = [], closes: Bool = false, hasBody: Bool = true
  ) -> [UInt8] {
    // The last line ends a text, so it may stand there once.
    let body = others.dropLast(isWhole(others) ? last.count : 0) + MetricsText.text(own)
    var head = ResponseHead(status: 200, contentLength: body.count, closes: closes)
    head.contentType = MetricsText.mediaType
    return head.serialized() + (hasBody ? body : [])
  }

  static func isWhole(_ text: ArraySlice<UInt8>) -> Bool { text.suffix(last.count).elementsEqual(last) }

  /// The body of a response of podgate's; nil as long as it is not whole.
  static func body(of response: [UInt8]) -> ArraySlice<UInt8>? {
    guard isWhole(response[...]), let end = response.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else {
      return nil
    }
    return response[end...]
  }
}
