internal import CSystemd
internal import Glibc

func getenvString(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }
}

/// The service manager's notification protocol (sd_notify(3)).
public enum Notify {
  /// Sends a state such as `READY=1` or `STATUS=…`. False when there is no manager.
  @discardableResult
  public static func send(_ state: String) -> Bool {
    sd_notify(0, state) > 0
  }

  /// Puts a copy of a descriptor into the manager's store under a name (`FDSTORE=1`).
  public static func store(_ descriptor: CInt, name: String) throws(Errno) {
    var fds = [descriptor]
    let result = sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=\(name)\nFDPOLL=0", &fds, 1)
    if result < 0 { throw Errno(result, "store descriptor \(name)") }
  }

  /// Takes every descriptor of that name out of the store.
  public static func unstore(name: String) {
    sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=\(name)")
  }

  /// The descriptors that the manager passed at start, with their names, each now close-on-exec and ours.
  public static func receivedDescriptors() throws(Errno) -> [(name: String, descriptor: CInt)] {
    var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    let count = sd_listen_fds_with_names(1, &names)
    if count < 0 { throw Errno(count, "passed descriptors") }
    defer {
      if let names {
        for index in 0..<Int(count) { free(names[index]) }
        free(names)
      }
    }
    var result: [(name: String, descriptor: CInt)] = []
    for index in 0..<Int(count) {
      let name = names?[index].map { String(cString: $0) } ?? "unknown"
      result.append((name, 3 + CInt(index)))
    }
    return result
  }
}
