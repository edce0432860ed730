/// A message of sd_notify(3): lines of `KEY=VALUE`. podd knows `READY=1`; every other line is a program's own affair.
public enum NotifyMessage {
  private static let ready = Array("READY=1".utf8)

  /// Whether one of the lines is `READY=1`. The bytes may be anything: any process of a pod can send them.
  public static func saysReady(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.split(separator: UInt8(ascii: "\n")).contains { $0.elementsEqual(ready) }
  }
}
