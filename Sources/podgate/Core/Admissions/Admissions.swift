import Linux
import PodModel
import Systemd
import Time
import TokenCheck

/// The admitted requests that nginx has not logged the end of: counted for each user, and ended, if they are WebSockets or
/// event streams, when the user loses the right to them. nginx asks only once whether a stream may be opened.
@LoopActor
final class Admissions {
  enum Outcome {
    case admitted(Ticket)
    /// The user has as many as the tier allows.
    case tooMany
    /// There is no place for any request.
    case full
  }

  /// More than nginx has connections, unless its configuration was changed. What cannot be ended must not be opened.
  nonisolated static let most = 65_536
  /// From this age on, podd is asked whether a request's connection is still there: nginx may have been killed, or its
  /// log have been lost.
  static let age = Microseconds.minutes(1)

  private struct Entry {
    let request: AdmittedRequest
    let since: LoopTime
    /// podd is to close its connection, or has done so.
    var isEnding = false
  }

  private var places: [Entry?] = []
  private var free: [Int] = []
  private var counts: [String: Int] = [:]
  /// A later podgate begins above all serials of this one: no request comes in each microsecond.
  private var serial = Clock.loop.sinceBoot.count
  private var file: StreamFile?
  private let connections: ClientConnections
  private var expiry: EventSource?
  private var nextExpiry = WallTime.never
  private var check: EventSource?

  /// A WebSocket or an event stream begins.
  var onStream: @LoopActor (AdmittedRequest) -> Void = { _ in }

  /// - Parameter file: Has what the podgate before this one knew; nil where there is none.
  init(_ file: StreamFile?, _ connections: ClientConnections) {
    self.file = file
    self.connections = connections
    do throws(Errno) {
      for (place, request) in try file?.read() ?? [] {
        while places.count <= place { places.append(nil) }
        put(request, at: place, since: .zero)
      }
      free = places.indices.filter { places[$0] == nil }
    } catch {
      forgetFile(error)
    }
  }

  // MARK: Requests

  /// A request is about to be admitted.
  /// - Parameters:
  ///   - client: The client's end of its connection.
  ///   - until: When the token would no longer be taken, if the response may last long.
  func open(_ token: VerifiedToken, at place: Place, client: String, until: WallTime?) -> Outcome {
    let user = token.user.text
    let most = Int(place.rules.connectionsMax)
    guard most == 0 || counts[user] ?? 0 < most else { return .tooMany }
    guard places.count - free.count < Self.most else { return .full }
    serial += 1
    // Behind a proxy on a unix socket, nginx knows no port of the client, and writes "[unix:]:".
    let hasAddress = client.utf8.last.map { (0x30...0x39).contains($0) } ?? false
    let request = AdmittedRequest(
      serial: serial, user: user, pod: place.pod.name, peer: hasAddress ? client : place.pod.address,
      stream: until.map { AdmittedRequest.Rights(key: token.key, until: $0) })
    let number = free.popLast() ?? places.count
    if number == places.count { places.append(nil) }
    put(request, at: number, since: EventLoop.main.now())
    do throws(Errno) {
      if let record = request.record { try file?.write(record, at: number) }
    } catch {
      forgetFile(error)
    }
    if request.stream != nil { onStream(request) }
    return .admitted(Ticket(place: number, serial: serial))
  }

  /// nginx has logged the end of a request, or never got the admission.
  ///
  /// - Returns: The request; nil for one that is not known.
  @discardableResult
  func close(_ ticket: Ticket) -> AdmittedRequest? {
    guard places.indices.contains(ticket.place), let entry = places[ticket.place],
      entry.request.serial == ticket.serial
    else { return nil }
    places[ticket.place] = nil
    free.append(ticket.place)
    let user = entry.request.user
    let left = (counts[user] ?? 1) - 1
    counts[user] = left > 0 ? left : nil
    do throws(Errno) {
      if entry.request.stream != nil { try file?.erase(ticket.place) }
    } catch {
      forgetFile(error)
    }
    return entry.request
  }

  private func put(_ request: AdmittedRequest, at number: Int, since: LoopTime) {
    places[number] = Entry(request: request, since: since)
    counts[request.user, default: 0] += 1
    if let until = request.stream?.until, until < nextExpiry { armExpiry(until) }
    if check == nil { armCheck() }
  }

  /// From now on the file would be wrong, and the next podgate would believe it.
  private func forgetFile(_ error: Errno) {
    GateLog.error("The streams that are open cannot be kept for the next podgate: \(error)")
    file?.empty()
    file = nil
  }

  // MARK: Ends

  /// How many streams are open.
  var streamCount: Int { places.count { $0?.request.stream != nil } }

  /// The users who have streams.
  var usersOfStreams: Set<String> {
    Set(places.lazy.compactMap { $0 }.filter { $0.request.stream != nil }.map(\.request.user))
  }

  /// Ends all streams of a user who may not have them any more, or whose data is elsewhere now.
  /// - Parameter pod: Where the user is; nil if nowhere, or suspended.
  func end(ofUser user: String, unlessAt pod: String?) {
    end { request, _ in request.user == user && request.pod != pod }
  }

  /// Ends all streams whose token's key is not one of ours any more.
  func end(unless isGood: (KeyFingerprint) -> Bool) {
    end { !isGood($1.key) }
  }

  private func end(_ isOver: (AdmittedRequest, AdmittedRequest.Rights) -> Bool) {
    for number in places.indices {
      guard let entry = places[number], !entry.isEnding, let rights = entry.request.stream,
        isOver(entry.request, rights)
      else { continue }
      // The connection as a whole: nobody can end one stream of it. It stays in the table until nginx logs its end.
      places[number]?.isEnding = true
      connections.close(entry.request.peer)
    }
  }

  private func armExpiry(_ time: WallTime) {
    nextExpiry = time
    // The clock may be set: look again after an hour at the latest.
    let span = min(time - Clock.wall, .hours(1))
    expiry = try? EventSource.timer(EventLoop.main, after: span, accuracy: .milliseconds(100)) {
      [weak self] in
      LoopActor.assumeIsolated { self?.endExpired() }
    }
  }

  private func endExpired() {
    let now = Clock.wall
    end { now >= $1.until }
    let next = places.lazy.compactMap { $0 }.filter { !$0.isEnding }.compactMap { $0.request.stream?.until }
      .min()
    expiry = nil
    nextExpiry = .never
    if let next { armExpiry(next) }
  }

  // MARK: Ends that nobody told

  private func armCheck() {
    check = try? EventSource.timer(EventLoop.main, after: Self.age, accuracy: .seconds(5)) { [weak self] in
      loopTask {
        guard let self else { return }
        await self.dropGone()
        self.check = nil
        if self.places.contains(where: { $0 != nil }) { self.armCheck() }
      }
    }
  }

  /// Forgets the requests whose connections are not there any more. Without podd everything stays as it is.
  func dropGone() async {
    let now = EventLoop.main.now()
    let old = places.enumerated().compactMap { place, entry in
      entry.flatMap { now - $0.since >= Self.age ? (place, $0.request) : nil }
    }
    guard let found = await connections.find(Set(old.map(\.1.peer))) else { return }
    for (place, request) in old {
      if !found.contains(request.peer) {
        close(Ticket(place: place, serial: request.serial))
      } else if places[place]?.request == request, places[place]?.isEnding == true {
        // nginx had not connected to the pod when its connections were closed.
        connections.close(request.peer)
      }
    }
  }
}
