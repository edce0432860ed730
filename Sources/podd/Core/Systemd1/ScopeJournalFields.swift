import Glibc
import PodModel
import Systemd
import Time

/// Fields that journald adds to every line of a pod's own output, so that `journalctl POD=pod-001` shows them
/// together with podd's entries. systemd writes such a file for `LogExtraFields=`, which a scope cannot have.
/// journald reads it when the stream connects (systemd, src/journal/journald-context.c; the same in 252 and
/// 257). If journald ignored the file, the pod's lines would merely lack the fields.
///
/// The pod's own rate limit is announced in the same way, as systemd does for `LogRateLimitIntervalSec=` and
/// `LogRateLimitBurst=`: by links whose content is the number. Without them every pod may send what journald allows a
/// unit, and some pods together turn the host's journal over in minutes.
enum ScopeJournalFields {
  private static func intervalLink(_ unit: UnitName) -> String {
    "/run/systemd/units/log-rate-limit-interval:\(unit)"
  }
  private static func burstLink(_ unit: UnitName) -> String {
    "/run/systemd/units/log-rate-limit-burst:\(unit)"
  }
  private static func path(_ unit: UnitName) -> String { "/run/systemd/units/log-extra-fields:\(unit)" }

  static func publish(_ request: Launcher.Request) throws(Errno) {
    let fields: [(JournalField, String)] = [
      (.pod, "\(request.unit.pod)"), (.tier, request.tier.name),
      (.generation, "\(request.unit.generation)"), (.unit, "\(request.unit)"),
    ]
    // Each: its length as a little-endian 64-bit number, then the field.
    var bytes: [UInt8] = []
    for field in fields.named.map({ "\($0.0)=\($0.1)" }) {
      withUnsafeBytes(of: UInt64(field.utf8.count).littleEndian) { bytes += $0 }
      bytes += field.utf8
    }
    let path = path(request.unit)
    unlink(path)
    let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
    try file.writeAll(bytes)
    let limit = request.workload.logRateLimit
    try Files.link(intervalLink(request.unit), to: String(limit.interval.count))
    try Files.link(burstLink(request.unit), to: String(limit.burst))
  }

  static func withdraw(_ unit: UnitName) {
    unlink(path(unit))
    unlink(intervalLink(unit))
    unlink(burstLink(unit))
  }
}
