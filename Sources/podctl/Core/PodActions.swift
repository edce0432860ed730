internal import PodAPI

extension Context {
  /// What start, stop, restart and reset share: silent when it went well, as systemctl is.
  func perform(_ action: Client.PodAction, on pod: String) throws {
    let state = try client().perform(action, on: pod)
    present(json: .object([("pod", .string(pod)), ("state", .string(state))])) { style in
      style.isTerminal
        ? "\(style.dot(state: state)) \(pod) is \(style.paint(state, Colour(state: state))).\n" : ""
    }
  }
}
