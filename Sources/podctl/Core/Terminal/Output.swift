internal import Glibc

/// Standard output and error without stdio: one write(2) for all of the output.
enum Output {
  static func write(_ bytes: [UInt8], to descriptor: CInt = STDOUT_FILENO) {
    var offset = 0
    while offset < bytes.count {
      let done = bytes.withUnsafeBytes { buffer in
        Glibc.write(descriptor, buffer.baseAddress.map { $0 + offset }, buffer.count - offset)
      }
      if done < 0 && errno == EINTR { continue }
      if done < 0 {
        // A reader may stop reading, which is no error. A full disk is an error.
        if errno == EPIPE || descriptor != STDOUT_FILENO { return }
        complain("cannot write to standard output: \(String(cString: strerror(errno)))")
        exit(1)
      }
      offset += done
    }
  }

  /// Prints one line on standard error. Text from outside is cut to a reasonable length, and its control
  /// characters are replaced.
  static func complain(_ text: String) {
    let scalars = text.unicodeScalars
    var line = "podctl: "
    for scalar in scalars.prefix(2000) {
      let control = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
      line.unicodeScalars.append(control ? (scalar == "\n" ? " " : "?") : scalar)
    }
    write(Array((line + (scalars.count > 2000 ? "…\n" : "\n")).utf8), to: STDERR_FILENO)
  }
}
