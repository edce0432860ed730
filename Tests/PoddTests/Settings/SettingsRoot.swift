import Glibc

/// A directory with settings files. It is removed with this object.
final class SettingsRoot {
  let path: String
  /// In the order of creation; removing them in the reverse order empties directories first.
  private var created: [String] = []

  init() {
    var template = Array("/tmp/podctl-settings-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress, mkdtemp(start) != nil else { fatalError("mkdtemp") }
      return String(cString: start)
    }
  }

  deinit {
    for path in created.reversed() { _ = Glibc.remove(path) }
    rmdir(path)
  }

  /// `name` is a path below /etc/podctl.
  func write(_ name: String, _ content: String) {
    let whole = "\(path)/etc/podctl/\(name)"
    for (index, character) in zip(whole.indices, whole) where character == "/" && index > path.endIndex {
      let directory = String(whole[..<index])
      if mkdir(directory, 0o755) == 0 { created.append(directory) }
    }
    guard let file = fopen(whole, "w") else { fatalError("cannot write \(whole)") }
    created.append(whole)
    fputs(content, file)
    fclose(file)
  }

  func remove(_ name: String) { _ = Glibc.remove("\(path)/etc/podctl/\(name)") }
}
