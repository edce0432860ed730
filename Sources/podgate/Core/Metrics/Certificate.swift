import CCrypto
import Glibc
import Linux
import OpenMetrics

/// The front door's certificate, as far as somebody has to renew it.
enum Certificate {
  /// The family of its end, from the unit's credential; without a sample if there is no certificate, or another one is
  /// named in listen.conf.
  static func family(credentials: String?) -> MetricFamily {
    var family = MetricFamily(
      "podgate_certificate_expiry_time_seconds", .gauge, unit: "seconds",
      "When the front door's certificate expires, in seconds since the epoch.")
    if let credentials, let file = try? FileDescriptor.open("\(credentials)/tls.crt", O_RDONLY),
      let pem = try? file.readAll(limit: 1 << 20), let end = end(ofPEM: pem)
    {
      family.add(end)
    }
    return family
  }

  /// The seconds since the epoch at which the first certificate of a PEM file expires.
  static func end(ofPEM pem: [UInt8]) -> Int64? {
    let end = pem.withUnsafeBytes { ccrypto_certificate_end($0.baseAddress, $0.count) }
    return end < 0 ? nil : end
  }

  /// The names for which the first certificate of a PEM file is valid, as text.
  static func names(inPEM pem: [UInt8]) -> [String] {
    let names = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
      count = pem.withUnsafeBytes {
        ccrypto_certificate_names($0.baseAddress, $0.count, buffer.baseAddress, buffer.count)
      }
    }
    return names.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Whether a private key belongs to the first certificate of a PEM file; nil if it is none, or needs a password.
  static func inPEM(_ pem: [UInt8], hasKey key: [UInt8]) -> Bool? {
    let answer = pem.withUnsafeBytes { pem in
      key.withUnsafeBytes {
        ccrypto_certificate_has_key(pem.baseAddress, pem.count, $0.baseAddress, $0.count)
      }
    }
    return answer < 0 ? nil : answer == 1
  }
}
