import PodModel
import PodStore
import Systemd

/// One event that podd reports: its journal entry, and the alert that it raises. The functions that make one
/// are in the extensions, by subject; each has an event's message id, alert, priority, fields and sentence in
/// one place.
struct PodEvent {
  typealias Fields = [(JournalField, String)]

  let id: MessageID
  let alert: AlertKind?
  let priority: Journal.Priority
  /// One or more sentences: `MESSAGE` of the journal entry and of the alert.
  let sentence: String
  let fields: Fields

  init(
    _ id: MessageID, _ sentence: String, priority: Journal.Priority = .info, alert: AlertKind? = nil,
    _ fields: Fields = []
  ) {
    self.id = id
    self.alert = alert
    self.priority = priority
    self.sentence = sentence
    self.fields = fields
  }

  /// Writes the journal entry alone: before there is a host, or from another thread.
  func log() {
    Log.event(id, sentence, priority: priority, fields.named)
  }

  /// What an event says of the pod that it concerns.
  struct Subject {
    let pod: PodName
    let tier: String
    let state: PodState
    /// The number of the pod's newest generation.
    let generation: Int

    var fields: Fields {
      [
        (.pod, pod.description), (.tier, tier), (.state, state.rawValue), (.generation, String(generation)),
      ]
    }
  }
}

extension PodHost {
  func report(_ event: PodEvent) { alerts.report(event) }
}

extension Pod {
  var subject: PodEvent.Subject {
    PodEvent.Subject(pod: name, tier: record.tier, state: state, generation: machine.lastGeneration)
  }
}
