import HTTPWire
import Linux
import Time

extension ResponseHead {
  /// The head of a response that is sent now.
  init(status: Int, contentLength: Int, closes: Bool) {
    self.init(
      status: status, contentLength: contentLength, closes: closes,
      date: Int(clamping: Clock.wall.sinceEpoch / .seconds(1)))
  }
}
