import Glibc
import Linux
import PodModel
import Time
import TokenCheck

/// The checks of `podctl doctor` that need libcrypto: the keys of tokens, and the certificate with its private key.
struct GateCheck {
  /// Put before each path; a test has a directory of its own.
  var root = ""
  /// Whether all files can be read. Others may not read the keys, which says nothing of podgate.
  var isRoot = geteuid() == 0

  /// How long before a certificate's end it should have been renewed.
  static let notice: Microseconds = .days(14)

  /// One line for podctl: the check's id, then either what a passed check says, or what is wrong and the way out.
  struct Result: Equatable {
    let id: String
    let what: String
    var fix: String?

    /// Tabs between the fields. A file's name, or a key's, may have anything in it.
    var line: String {
      [id, what, fix].compactMap { $0 }
        .map { String($0.map { $0.isNewline || $0 == "\t" ? " " : $0 }) }.joined(separator: "\t")
    }
  }

  func results(now: WallTime) -> [Result] { (isRoot ? keys() : []) + certificate(now) }

  // MARK: Keys

  private func keys() -> [Result] {
    let id = "front-keys", reload = "Then: systemctl reload-or-restart podgate.service."
    do throws(GateConfiguration.Failure) {
      let read = try GateConfiguration.read(root: root)
      let count = read.verifier.keys.names.count
      let ok = Result(
        id: id, what: "front door: \(count) key\(count == 1 ? "" : "s") of tokens in \(read.settings.keyFile)"
      )
      let notes = read.notes.map { Result(id: id, what: "\($0).", fix: "Correct or remove it. \(reload)") }
      return notes.isEmpty ? [ok] : notes
    } catch {
      return error.messages.map { Result(id: id, what: "\($0).", fix: reload) }
    }
  }

  // MARK: Certificate

  private static let files = "/etc/podctl/front"
  private static let reload = "systemctl reload-or-restart podctl-front.service"

  private func certificate(_ now: WallTime) -> [Result] {
    let id = "front-certificate", path = "\(Self.files)/tls.crt"
    let pem: [UInt8]
    do throws(Errno) {
      pem = try read(path)
    } catch {
      // An administrator's own lines may name other files.
      if error.code == ENOENT, Files.exists("\(root)\(Self.files)/listen.conf") { return [] }
      return [
        Result(
          id: id, what: "The front door's certificate \(path) cannot be read: \(error.text).",
          fix:
            "Put it there, with its chain, and its private key into \(Self.files)/tls.key, then: \(Self.reload)."
        )
      ]
    }
    guard let end = Certificate.end(ofPEM: pem) else {
      return [
        Result(
          id: id, what: "\(path) has no certificate in PEM.",
          fix: "Put the certificate with its chain there, then: \(Self.reload).")
      ]
    }
    var wrong: [Result] = []
    let valid = Certificate.names(inPEM: pem)
    let names = valid.joined(separator: ", ")
    let whose = "The front door's certificate\(names.isEmpty ? "" : " for \(names)")"
    let expiry = WallTime.epoch + .seconds(UInt64(max(0, end)))
    if expiry < now + Self.notice {
      wrong.append(
        Result(
          id: id, what: "\(whose) \(expiry < now ? "expired on" : "expires on") \(Self.date(end)).",
          fix: "Renew it, for example with certbot renew, then: \(Self.reload)."))
    }
    wrong += pair(pem)
    for host in hosts() where !valid.contains(where: { Self.covers($0, host) }) {
      wrong.append(
        Result(
          id: id, what: "\(whose) is not valid for \(host), which a file of \(Self.files)/hosts.d names.",
          fix: "Get a certificate for \(host), too, or remove the name, then: \(Self.reload)."))
    }
    if let used = try? read("/run/podctl/front/tls.crt"), used != pem {
      wrong.append(
        Result(
          id: id, what: "\(path) was replaced, and nginx still has the certificate before it.",
          fix: "Let nginx read it: systemctl reload podctl-front.service."))
    }
    guard wrong.isEmpty else { return wrong }
    return [
      Result(
        id: id, what: "front door: certificate\(names.isEmpty ? "" : " for \(names)") until \(Self.date(end))"
      )
    ]
  }

  /// The names of servers in hosts.d.
  private func hosts() -> [String] {
    let directory = "\(root)\(Self.files)/hosts.d"
    return ((try? Files.names(in: directory)) ?? []).filter { $0.hasSuffix(".conf") }.sorted().flatMap {
      name in
      let text =
        (try? read("\(Self.files)/hosts.d/\(name)")).map { String(decoding: $0, as: UTF8.self) } ?? ""
      return NginxText.statements(of: text).filter { $0.first == "server_name" }
        .flatMap { $0.dropFirst().map { $0.lowercased() } }
    }
  }

  /// Whether a certificate's name is good for a server's: the star stands for one label (RFC 6125, 6.4.3).
  private static func covers(_ name: String, _ host: String) -> Bool {
    let name = name.lowercased()
    guard name != host else { return true }
    let (pattern, labels) = (name.split(separator: "."), host.split(separator: "."))
    return pattern.first == "*" && labels.first != "*" && pattern.count == labels.count
      && pattern.dropFirst() == labels.dropFirst()
  }

  /// Whether the private key is there, and this certificate's.
  private func pair(_ pem: [UInt8]) -> [Result] {
    let id = "front-private-key", path = "\(Self.files)/tls.key"
    guard isRoot else { return [] }
    let key: [UInt8]
    do throws(Errno) {
      key = try read(path)
    } catch {
      return [
        Result(
          id: id, what: "The private key \(path) cannot be read: \(error.text).",
          fix: "Put the certificate's private key there, then: \(Self.reload).")
      ]
    }
    switch Certificate.inPEM(pem, hasKey: key) {
    case true?: return []
    case false?:
      return [
        Result(
          id: id, what: "\(path) is not the private key of \(Self.files)/tls.crt.",
          fix: "Put both files of one certificate there, then: \(Self.reload).")
      ]
    case nil:
      return [
        Result(
          id: id, what: "\(path) has no private key in PEM that can be read without a password.",
          fix: "Put the certificate's private key there, then: \(Self.reload).")
      ]
    }
  }

  private func read(_ path: String) throws(Errno) -> [UInt8] {
    try FileDescriptor.open(root + path, O_RDONLY).readAll(limit: 1 << 20)
  }

  /// `2027-02-28`, in the local time zone.
  private static func date(_ seconds: Int64) -> String {
    var seconds = time_t(seconds)
    var parts = tm()
    localtime_r(&seconds, &parts)
    var buffer = [UInt8](repeating: 0, count: 16)
    let length = buffer.withUnsafeMutableBytes { bytes in
      bytes.withMemoryRebound(to: CChar.self) { text in
        text.baseAddress.map { strftime($0, text.count, "%Y-%m-%d", &parts) } ?? 0
      }
    }
    return String(decoding: buffer.prefix(length), as: UTF8.self)
  }
}
