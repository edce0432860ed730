extension Workload {
  /// How a generation of it gives way to one of the same workload. With Type=exec podd could not tell which of the two
  /// answers the probe.
  public var handover: Lifecycle.Handover {
    if listen == .port { return .drain }
    return overlap && type == .notify ? .overlap : .queue
  }
}

extension GenerationLife.Traits {
  /// - Parameter cpus: the tier's; the host's for a tier without a quota.
  public init(_ workload: Workload, cpus: Int) {
    self.init(
      handover: workload.handover, furtherProcesses: max(0, workload.workers.count(cpus: cpus) - 1),
      reload: workload.reloadSignal != nil ? .signal : workload.execReload.isEmpty ? .restart : .command)
  }
}
