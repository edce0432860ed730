internal import CLinux
internal import Glibc
internal import Linux
internal import HTTPWire
internal import Time

/// A server's timeouts, in milliseconds, and its limit of connections.
public struct ServerLimits: Sendable {
  public var connections = 512
  /// For a whole request head, from the first byte on.
  public var head: UInt64 = 30_000
  /// Without progress of a body or of a response.
  public var progress: UInt64 = 60_000
  /// Bytes a second that a body or a response needs on the whole, after `progress`. A byte from time to time would
  /// otherwise keep a connection, and what was uploaded, for weeks.
  public var rate: UInt64 = 1024
  /// Longer than nginx keeps a connection to a backend (60 s), so that nginx closes it first.
  public var idle: UInt64 = 75_000
  /// For the client to close the connection after the last response.
  public var linger: UInt64 = 2_000
  /// How long requests may take to arrive completely once the server drains. With `linger` it bounds the
  /// whole drain, and both together stay below the 30 s that podd gives a drain, and the 90 s of
  /// TimeoutStopSec=.
  public var drain: UInt64 = 20_000
  /// How long a connection without a request stays open while draining.
  public var drainIdle: UInt64 = 1_000

  public init() {}
}

/// Serves HTTP connections from one listening socket, on the thread that calls `turn`.
public final class Server {
  public var service: Service
  private let limits: ServerLimits
  private let now: () -> UInt64
  private let poll: OpenFile
  private let listener: Int32
  private var accepts = false
  private var connections: [Int32: Connection] = [:]
  private var watched: (descriptor: Int32, handler: () -> Void)?
  private var nextDeadline = UInt64.max
  private var draining: Drain?
  private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)

  /// - Parameters:
  ///   - listener: a listening stream socket, which still belongs to the caller.
  ///   - now: Milliseconds of a clock that never goes back.
  public init(
    listener: Int32, service: Service, limits: ServerLimits = ServerLimits(),
    now: @escaping () -> UInt64 = monotonicMilliseconds
  ) throws(StorageError) {
    let descriptor = linux_poll_create()
    guard descriptor >= 0, fcntl(listener, F_SETFL, O_NONBLOCK) == 0 else {
      throw .failed("The listening socket cannot be watched: \(describe(errno)).")
    }
    poll = OpenFile(descriptor)
    self.listener = listener
    self.service = service
    self.limits = limits
    self.now = now
    acceptMore(true)
  }

  deinit {
    scratch.deallocate()
  }

  public var connectionCount: Int { connections.count }
  /// Requests that were not finished during the drain.
  public private(set) var unfinishedCount = 0

  /// Whether the drain is complete.
  public var isFinished: Bool { draining != nil && connections.isEmpty }

  /// Calls a handler whenever the caller's one descriptor can be read.
  public func watch(_ descriptor: Int32, _ handler: @escaping () -> Void) {
    precondition(watched == nil)
    watched = (descriptor, handler)
    linux_poll_watch(poll.descriptor, descriptor, LINUX_READABLE, 0)
  }

  /// Takes no more connections, answers the requests under way, and ends each connection (see `Drain`). The
  /// listening socket stays open: the next generation serves connections that wait there.
  public func drain() {
    guard draining == nil else { return }
    acceptMore(false)
    let (drain, current) = (Drain(at: now(), limits), now())
    draining = drain
    for connection in connections.values {
      connection.deadline = drain.deadline(of: connection, now: current, wanted: connection.deadline)
      nextDeadline = min(nextDeadline, connection.deadline)
    }
  }

  /// Accepts connections that wait at the listening socket. Each is served at once, and its client may then
  /// come with another: without the bound, kept connections and signals might wait for a long time.
  public func acceptWaiting(atMost bound: Int = 32) {
    for _ in 0..<bound where accepts {
      let isFull = connections.count >= limits.connections
      let spare = isFull ? longestIdle() : nil
      if isFull, spare == nil { return acceptMore(false) }
      let descriptor = linux_accept(listener)
      if descriptor < 0 {
        switch errno {
        case EINTR, ECONNABORTED: continue
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
          log(.warning, "Connections wait: \(describe(errno)).")
          acceptMore(false)
          nextDeadline = min(nextDeadline, now() + 1000)
        default: break
        }
        return
      }
      if let spare { remove(spare) }
      var one: Int32 = 1
      setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
      let connection = Connection(descriptor: descriptor, deadline: 0)
      connections[descriptor] = connection
      setDeadline(connection, limits.head)
      advance(connection)
    }
  }

  /// Waits for events, at most `maximumWait` milliseconds (-1: for ever), and handles them.
  public func turn(maximumWait: Int32 = -1) {
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: 64) { ready in
      let count = linux_poll_wait(
        poll.descriptor, ready.baseAddress, Int32(ready.count), waitTime(maximumWait))
      for descriptor in ready.prefix(Int(max(0, count))) {
        if descriptor == listener {
          acceptWaiting()
        } else if descriptor == watched?.descriptor {
          watched?.handler()
        } else if let connection = connections[descriptor] {
          advance(connection)
        }
      }
    }
    if now() >= nextDeadline { closeOverdue() }
  }

  private func waitTime(_ maximum: Int32) -> Int32 {
    guard nextDeadline != .max else { return maximum }
    let current = now()
    let wait = nextDeadline > current ? Int32(clamping: nextDeadline - current) : 0
    return maximum < 0 ? wait : min(wait, maximum)
  }

  private func acceptMore(_ wanted: Bool) {
    guard wanted != accepts, !wanted || draining == nil else { return }
    accepts = wanted
    linux_poll_watch(poll.descriptor, listener, wanted ? LINUX_READABLE : 0, wanted ? 0 : 1)
  }

  private func setDeadline(_ connection: Connection, _ patience: UInt64) {
    let (current, wanted) = (now(), now() + patience)
    connection.deadline = draining?.deadline(of: connection, now: current, wanted: wanted) ?? wanted
    nextDeadline = min(nextDeadline, connection.deadline)
  }

  /// A body or a response begins.
  private func beginTransfer(_ connection: Connection) {
    connection.began = now()
    connection.passed = 0
    setDeadline(connection, limits.progress)
  }

  /// More of it has passed.
  private func continueTransfer(_ connection: Connection) {
    let latest = connection.began + limits.progress + UInt64(connection.passed) * 1000 / limits.rate
    let current = now()
    setDeadline(connection, min(limits.progress, latest > current ? latest - current : 0))
  }

  private func closeOverdue() {
    let current = now()
    for connection in Array(connections.values) where connection.deadline <= current {
      switch connection.phase {
      case .head where connection.isIdle && connection.hasUnread:
        // The request arrived in time, and closing now would reset it.
        advance(connection)
      case .head where !connection.isIdle, .body:
        reply(connection, overdueReply(current), last: true)
        advance(connection)
      case .reply:
        if draining != nil { unfinishedCount += 1 }
        remove(connection)
      case .head, .linger:
        remove(connection)
      }
    }
    nextDeadline = connections.values.reduce(.max) { min($0, $1.deadline) }
    acceptMore(true)
  }

  private func overdueReply(_ current: UInt64) -> Reply {
    guard let draining, current >= draining.refusal else {
      return Reply("The request took too long.\n", status: 408)
    }
    unfinishedCount += 1
    return Reply(
      "The server is restarting and the request came too slowly; try again.\n", status: 503,
      fields: [("Retry-After", "1")])
  }

  /// The connection that may be closed for a new client: the one with the oldest response that has been quiet
  /// since.
  private func longestIdle() -> Connection? {
    connections.values.filter { $0.isIdle && $0.wasServed }.min { $0.deadline < $1.deadline }
  }

  private func remove(_ connection: Connection) {
    if connection.interest != 0 { linux_poll_watch(poll.descriptor, connection.descriptor, 0, 1) }
    connections[connection.descriptor] = nil
    acceptMore(true)
  }

  /// Makes the poll set report a connection when it can be read or written, and not otherwise.
  private func wait(_ connection: Connection, _ interest: Int32) {
    guard connection.interest != interest else { return }
    linux_poll_watch(poll.descriptor, connection.descriptor, interest, connection.interest == 0 ? 0 : 1)
    connection.interest = interest
  }

  /// Advances a connection as far as possible without waiting. A bound keeps one client from taking all the
  /// time.
  private func advance(_ connection: Connection) {
    for _ in 0..<32 {
      let goesOn =
        switch connection.phase {
        case .head(let parser): readHead(connection, parser)
        case .body(let decoder, let upload): readBody(connection, decoder, upload)
        case .reply(let outgoing): sendReply(connection, outgoing)
        case .linger: discard(connection)
        }
      guard goesOn else { return }
    }
    // The socket will report at once whatever comes next.
    if case .reply = connection.phase {
      wait(connection, LINUX_WRITABLE)
    } else {
      wait(connection, connection.input.isEmpty ? LINUX_READABLE : LINUX_READABLE | LINUX_WRITABLE)
    }
  }

  /// Reads more; closes the connection at its end.
  private func receiveMore(_ connection: Connection, keep: Bool = true) -> Bool {
    switch connection.receive(into: scratch, keep: keep) {
    case .some: return true
    case .later: wait(connection, LINUX_READABLE)
    case .end: remove(connection)
    }
    return false
  }

  private func readHead(_ connection: Connection, _ parser: HeadParser) -> Bool {
    var parser = parser
    do {
      guard let (head, length) = try parser.parse(connection.input.span) else {
        connection.phase = .head(parser)
        let wasIdle = connection.input.isEmpty
        guard receiveMore(connection) else { return false }
        if wasIdle { setDeadline(connection, limits.head) }
        return true
      }
      connection.consume(length)
      begin(connection, head)
    } catch {
      connection.isHead = false
      reply(connection, Reply(error), last: true)
    }
    return true
  }

  private func begin(_ connection: Connection, _ head: RequestHead) {
    connection.isHead = head.method == "HEAD"
    connection.closes = !head.keepsAlive
    switch service.begin(head, &connection.share) {
    case .reply(let answer):
      let hasBody = head.framing != .none && head.framing != .length(0)
      reply(connection, answer, last: hasBody)
    case .receive(let upload):
      connection.phase = .body(BodyDecoder(head.framing), upload)
      beginTransfer(connection)
      guard head.expectsContinue, connection.input.isEmpty else { return }
      let text = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
      // An empty send buffer takes all of these 25 bytes; otherwise the next read or write fails.
      _ = text.withUnsafeBytes {
        send(connection.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
    }
  }

  private func readBody(_ connection: Connection, _ decoder: BodyDecoder, _ upload: Upload) -> Bool {
    var decoder = decoder
    var position = 0
    do {
      let input = connection.input
      while let run = try decoder.next(input.span, from: &position) {
        try upload.append(input.span.extracting(run))
      }
      connection.consume(position)
      connection.passed += position
      if decoder.isComplete {
        reply(connection, try upload.finish(), last: false)
        return true
      }
    } catch let error as HTTPError {
      reply(connection, Reply(error), last: true)
      return true
    } catch let error as StorageError {
      reply(connection, Reply(error), last: !decoder.isComplete)
      return true
    } catch {
      remove(connection)
      return false
    }
    connection.phase = .body(decoder, upload)
    guard receiveMore(connection) else { return false }
    continueTransfer(connection)
    return true
  }

  /// - Parameter last: the connection cannot be used after this response, because its request was not read to
  ///   the end.
  private func reply(_ connection: Connection, _ answer: Reply, last: Bool) {
    let endsHere = last || (!connection.closes && draining?.isLast(on: connection, now: now()) == true)
    if endsHere { connection.closes = true }
    // A client that did not ask for the end may be sending its next request: closing at once would reset the
    // connection before the client has read the response.
    connection.lingers = endsHere
    var head = ResponseHead(
      status: answer.status, contentLength: answer.bodyLength, closes: connection.closes, date: time(nil))
    head.fields = answer.fields
    connection.phase = .reply(
      Outgoing(head: head.serialized(), body: connection.isHead ? nil : answer.body))
    beginTransfer(connection)
  }

  private func sendReply(_ connection: Connection, _ outgoing: Outgoing) -> Bool {
    let progress = outgoing.send(to: connection.descriptor)
    if case .done = progress { connection.share = nil }
    switch progress {
    case .later:
      // Without progress the deadline stays.
      if outgoing.passed > connection.passed {
        connection.passed = outgoing.passed
        continueTransfer(connection)
      }
      wait(connection, LINUX_WRITABLE)
      return false
    case .broken:
      remove(connection)
      return false
    case .done where connection.closes && (connection.lingers || !connection.input.isEmpty):
      shutdown(connection.descriptor, Int32(SHUT_WR))
      connection.input = []
      connection.phase = .linger
      setDeadline(connection, limits.linger)
      return true
    case .done where connection.closes:
      remove(connection)
      return false
    case .done:
      connection.phase = .head(HeadParser())
      connection.wasServed = true
      acceptMore(true)
      setDeadline(connection, connection.input.isEmpty ? limits.idle : limits.head)
      return true
    }
  }

  private func discard(_ connection: Connection) -> Bool {
    receiveMore(connection, keep: false)
  }
}

/// Milliseconds since boot, without the time asleep.
public func monotonicMilliseconds() -> UInt64 {
  Clock.loop.sinceBoot / .milliseconds(1)
}
