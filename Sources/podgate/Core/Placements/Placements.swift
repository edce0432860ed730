import PodAPI
import Systemd
import Time

/// Where users are: asked of podd once, kept in a bounded table, and forgotten as soon as podd says that it has changed.
/// While podd is away, what is known is used.
@LoopActor
final class Placements {
  /// What a lookup finds: nil when podd cannot be asked and nothing is known.
  typealias Answer = @LoopActor (Standing?) -> Void

  private struct Entry {
    let standing: Standing
    /// The `epoch` in which podd was asked; an earlier one must be asked again.
    let epoch: UInt64
    let askedAt: LoopTime
  }

  /// A user of whom podd is, or is to be, asked.
  private final class Question {
    var waiting: [Answer] = []
    /// Something of the user changed while podd was being asked.
    var isOutdated = false
    var isAsked = false
    var deadline: EventSource?
  }

  static let capacity = 131_072
  /// podd answers one client's calls 64 at a time (podd(8)), and others have questions too.
  static let mostCalls = 32
  /// How long a request waits for podd, also for one that is just being restarted. nginx waits longer (front-server.conf).
  static let patience: Microseconds = .seconds(30)
  /// How old the count of a user's data may be when the user writes.
  static let countAge: Microseconds = .seconds(10)

  private var table = RecentTable<String, Entry>(capacity: capacity)
  /// How many users are in the table.
  var count: Int { table.count }
  private var pods: [String: KnownPod] = [:]
  private var rules: [TierRules] = []
  private var epoch: UInt64 = 0
  private var states: UInt64 = 0
  private var questions: [String: Question] = [:]
  private var queue: [String] = []
  private var calls = 0
  private let resolve: @LoopActor (String) async throws(BusError) -> ResolvedUser
  private let isPresent: @LoopActor () -> Bool

  /// - Parameters:
  ///   - isPresent: Whether podd can be asked now; ``canAsk()`` is called when that becomes true.
  init(
    isPresent: @escaping @LoopActor () -> Bool,
    resolve: @escaping @LoopActor (String) async throws(BusError) -> ResolvedUser
  ) {
    self.isPresent = isPresent
    self.resolve = resolve
  }

  /// Finds a user: at once where podd has been asked before, else when it has answered, and within ``patience``.
  /// - Parameter forWriting: The count of the user's data matters.
  func find(_ user: String, forWriting: Bool, _ answer: @escaping Answer) {
    if let standing = known(user, forWriting: forWriting) { return answer(standing) }
    ask(user, answer)
  }

  /// Asks podd for a user of whom nothing is ``known(_:forWriting:)``.
  func ask(_ user: String, _ answer: @escaping Answer) { question(user).waiting.append(answer) }

  /// What ``find(_:forWriting:_:)`` finds at once; nil where podd has to be asked.
  func known(_ user: String, forWriting: Bool) -> Standing? {
    guard let entry = table.use(user) else { return nil }
    guard entry.epoch == epoch else { return isPresent() ? nil : entry.standing }
    if forWriting, isPresent(), EventLoop.main.now() - entry.askedAt > Self.countAge { _ = question(user) }
    return entry.standing
  }

  // MARK: What podd tells

  func changed(_ user: String) {
    table.remove(user)
    questions[user]?.isOutdated = true
  }

  func changed(_ change: StateChange) {
    states += 1
    guard let pod = pods[change.pod] else { return }
    pod.state = change.state
    pod.toldAt = states
  }

  /// Whatever is known has to be asked again.
  func everythingChanged() {
    epoch += 1
    rules = []
  }

  /// podd can be asked again.
  func canAsk() { askNext() }

  // MARK: Asking

  private func question(_ user: String) -> Question {
    if let question = questions[user] { return question }
    let question = Question()
    question.deadline = try? EventSource.timer(EventLoop.main, after: Self.patience) { [weak self] in
      LoopActor.assumeIsolated { self?.give(user, self?.table.peek(user)?.standing) }
    }
    questions[user] = question
    queue.append(user)
    askNext()
    return question
  }

  private func askNext() {
    while calls < Self.mostCalls, isPresent(), !queue.isEmpty {
      let user = queue.removeFirst()
      guard let question = questions[user], !question.isAsked else { continue }
      question.isAsked = true
      question.isOutdated = false
      calls += 1
      let (epoch, states) = (epoch, states)
      loopTask {
        let reply: Result<ResolvedUser, BusError>
        do throws(BusError) {
          reply = .success(try await self.resolve(user))
        } catch {
          reply = .failure(error)
        }
        self.calls -= 1
        self.replied(user, question, reply, epoch: epoch, states: states)
        self.askNext()
      }
    }
  }

  private func replied(
    _ user: String, _ question: Question, _ reply: Result<ResolvedUser, BusError>, epoch: UInt64,
    states: UInt64
  ) {
    guard questions[user] === question else { return }
    if question.isOutdated || epoch != self.epoch { return askAgain(user, question) }
    let standing: Standing
    switch reply {
    case .success(let resolved):
      standing = self.standing(resolved, states: states)
    case .failure(let error):
      switch APIError(rawValue: error.name) {
      case .noSuchUser, .invalidUser: standing = .unknown
      default:
        // A podd that has just gone is asked when it is back.
        if error.isUnreachable && !isPresent() { return askAgain(user, question) }
        GateLog.error("podd does not say where a user is: \(error.message)")
        return give(user, table.peek(user)?.standing)
      }
    }
    table.set(user, Entry(standing: standing, epoch: epoch, askedAt: EventLoop.main.now()))
    give(user, standing)
  }

  private func askAgain(_ user: String, _ question: Question) {
    question.isAsked = false
    queue.append(user)
  }

  private func give(_ user: String, _ standing: Standing?) {
    guard let question = questions.removeValue(forKey: user) else { return }
    question.deadline = nil
    for answer in question.waiting { answer(standing) }
  }

  private func standing(_ user: ResolvedUser, states: UInt64) -> Standing {
    guard user.status == "active" else { return user.status == "suspended" ? .suspended : .unknown }
    let address = "\(user.address):\(user.port)"
    let pod =
      pods[user.pod]
      ?? KnownPod(
        name: user.pod, address: address, frontAddress: user.frontAddress, state: user.state, toldAt: states)
    pods[user.pod] = pod
    pod.isAt(address, front: user.frontAddress)
    if pod.toldAt <= states { pod.state = user.state }
    let own = TierRules(user)
    let shared = rules.first { $0.isSame(as: own) }
    if shared == nil { rules.append(own) }
    return Place(user, pod: pod, rules: shared ?? own).map(Standing.active) ?? .unknown
  }
}
