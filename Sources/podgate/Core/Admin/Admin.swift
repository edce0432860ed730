import Glibc
import HTTPWire
import Linux
import PodAPI
import TokenCheck

/// `podgate admin`: serves one request of an administrator on standard input, which is a socket (podctl-admin(8)). systemd
/// starts a process for each connection, and bounds how many there are.
struct Admin {
  /// Nil: there is none that is good.
  let key: ExpectedSecret?
  let connection: AcceptedConnection

  /// Fewer characters are no key.
  static let shortestKey = 32
  private static let field = "X-Admin-API-Key"

  static func serve() -> CInt {
    Admin(key: readKey(), connection: AcceptedConnection(descriptor: STDIN_FILENO)).serve()
    return 0
  }

  /// The credential `key` of podctl-admin@.service.
  private static func readKey() -> ExpectedSecret? {
    guard let directory = getenv("CREDENTIALS_DIRECTORY"),
      let text = readSmallFile(String(cString: directory) + "/key", limit: 4096)
    else {
      GateLog.error("There is no key: write one into /etc/podctl/admin/key (podctl-admin(8)).")
      return nil
    }
    let key = Array(text.utf8.split(whereSeparator: { $0 == UInt8(ascii: "\n") }).first ?? [])
    guard key.count >= shortestKey else {
      GateLog.error(
        "/etc/podctl/admin/key has fewer than \(shortestKey) characters, so no request is served.")
      return nil
    }
    return ExpectedSecret(key.span)
  }

  func serve() {
    var request = "a request that cannot be read"
    let source = connection.source
    do throws(AdminRefusal) {
      guard let (head, body) = try receive() else { return }
      request = "\(head.method) \(head.path)"
      try authenticate(head)
      let wanted = try AdminRequest(head, body: body)
      // podd takes no longer arguments.
      let record = RequestRecord(source: source, request: String(request.prefix(200)))
      answer(200, try perform(wanted, record))
      GateLog.info("\(source): \(request): 200")
    } catch {
      answer(
        error.status, .object([("success", .bool(false)), ("error", .string(error.reason))]), error.fields)
      GateLog.warning("\(source): \(request): \(error.status), \(error.reason)")
    }
  }

  private func receive() throws(AdminRefusal) -> (head: RequestHead, body: [UInt8])? {
    do throws(HTTPError) {
      return try connection.receive()
    } catch {
      throw AdminRefusal(error)
    }
  }

  private func answer(_ status: Int, _ json: JSON, _ fields: [(name: String, value: String)] = []) {
    let body = Array((json.text + "\n").utf8)
    var head = ResponseHead(status: status, contentLength: body.count, closes: true)
    head.contentType = "application/json"
    head.fields = fields
    connection.answer(head.serialized() + body)
  }

  private func authenticate(_ head: RequestHead) throws(AdminRefusal) {
    guard let key else { throw AdminRefusal(503, "this host has no good key; its journal says more") }
    let presented: ArraySlice<UInt8>?
    do throws(HTTPError) {
      presented = try head.value(of: Self.field.lowercased())
    } catch {
      throw AdminRefusal(error)
    }
    if let presented, key.matches(presented.span) { return }
    // As many guesses a second as systemd allows connections.
    sleep(1)
    throw AdminRefusal(
      401, "\(Self.field) is \(presented == nil ? "missing" : "not the key")",
      fields: [("WWW-Authenticate", "\(Self.field) realm=\"podctl\"")])
  }

  /// On record before it is done.
  private func perform(_ request: AdminRequest, _ record: RequestRecord) throws(AdminRefusal) -> JSON {
    do throws(CallError) {
      let client = try Client()
      try client.record(record)
      return try AdminCalls(client: client).perform(request)
    } catch {
      throw AdminRefusal(error)
    }
  }
}
