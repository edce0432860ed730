import Glibc
import HTTPWire
import Linux
import OpenMetrics
import PodAPI

/// `podgate metrics`: one HTTP request of Prometheus', on a connection that systemd has accepted
/// (podgate-metrics.socket), and its response. A process of its own, so that nothing that decides requests reads TCP or
/// waits for podd's figures.
struct Scrape {
  /// podd's families.
  let podd: () -> [MetricFamily]
  /// The text of the podgate that decides; nil if it does not answer.
  let gate: () -> [UInt8]?
  let certificate: () -> MetricFamily

  static var host: Scrape {
    Scrape(
      podd: {
        do throws(CallError) {
          return PodctlMetrics.all(try Client().metrics())
        } catch {
          complain("podd's figures are missing: \(error)")
          return [PodctlMetrics.up(false)]
        }
      },
      gate: { ask("/run/podctl/gate/auth") },
      certificate: {
        Certificate.family(credentials: getenv("CREDENTIALS_DIRECTORY").map { String(cString: $0) })
      })
  }

  /// Answers the one request on a connection.
  func serve(_ connection: AcceptedConnection) {
    do throws(HTTPError) {
      guard let (head, _) = try connection.receive() else { return }
      connection.answer(response(to: head))
    } catch {
      connection.answer(refusal(error.status))
    }
  }

  func response(to head: RequestHead) -> [UInt8] {
    guard head.method == "GET" || head.method == "HEAD" else { return refusal(405) }
    guard head.path == GateFigures.path else { return refusal(404) }
    let gate = gate()
    var up = MetricFamily("podgate_up", .gauge, "Whether podgate answered.")
    up.add(gate == nil ? 0 : 1)
    return MetricsResponse.whole(
      [up, certificate()] + podd(), after: gate?[...] ?? [], closes: true, hasBody: head.method == "GET")
  }

  private func refusal(_ status: Int) -> [UInt8] {
    var head = ResponseHead(status: status, contentLength: 0, closes: true)
    if status == 405 { head.fields.append(("Allow", "GET, HEAD")) }
    return head.serialized()
  }

  // MARK: Sockets

  /// How long a peer may let the process wait for one piece.
  private static func limitWaiting(_ descriptor: CInt) {
    var limit = timeval(tv_sec: 5, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
  }

  /// Nil at the end, or when nothing comes.
  private static func receive(_ descriptor: CInt) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 16_384)
    let count = recv(descriptor, &bytes, bytes.count, 0)
    return count > 0 ? Array(bytes[..<count]) : nil
  }

  /// Asks the podgate that decides, which a connection starts if it does not run.
  static func ask(_ path: String) -> [UInt8]? {
    let socket = FileDescriptor(
      owning: Glibc.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0))
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket.raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard connected == 0 else {
      complain("podgate does not answer at \(path): \(Errno.last("connect"))")
      return nil
    }
    limitWaiting(socket.raw)
    let request = Array("GET \(GateFigures.path) HTTP/1.1\r\nHost: podgate\r\n\r\n".utf8)
    guard AcceptedConnection.send(request, to: socket.raw) else { return nil }
    var response: [UInt8] = []
    while response.count < 1 << 20, let more = receive(socket.raw) {
      response += more
      if let body = MetricsResponse.body(of: response) { return Array(body) }
    }
    return nil
  }

  private static func complain(_ text: String) { GateLog.warning(text) }
}
