internal import Time

/// A workload's settings, `workloads/NAME.conf`: the keys of section `[Workload]`.
public struct WorkloadFile: SettingsFile {
  enum Key: String, CaseIterable {
    case ExecStart
    case Listen
    case `Type`
    case Probe
    case ProbeSec
    case ProbeTimeoutSec
    case ProbeFailures
    case UsersTemplate
    case ExecReload
    case ReloadSignal
    case KillSignal
    case TimeoutStartSec
    case TimeoutStopSec
    case TimeoutDrainSec
    case Overlap
    case Workers
    case Environment
    case IPAddressAllow
    case BindLogSockets
    case LogRateLimitIntervalSec
    case LogRateLimitBurst
    case ReadWritePaths
    case ReadOnlyPaths
    case ReservedPaths
  }

  static let section = "Workload"

  private var workload: Workload
  private let defaults: Workload

  /// Reads a workload.
  /// - Parameters:
  ///   - name: The file's name without `.conf`.
  ///   - fragments: The main file, then its drop-ins in the order of `SettingsSearch.dropIns`.
  /// - Throws: The first mistake.
  public static func parse(
    name: String, fragments: [SettingsFragment]
  ) throws(SettingsError) -> Workload {
    try check(name: name, fragments: fragments).mapError(\.first).get()
  }

  /// As `parse`, with all mistakes.
  public static func check(name: String, fragments: [SettingsFragment]) -> Result<Workload, SettingsErrors> {
    Result { () throws(SettingsErrors) in
      let path = fragments.first?.path ?? "workloads/\(name).conf"
      do throws(ValueError) {
        _ = try SettingsValue.workloadName(name)
      } catch {
        throw SettingsErrors(SettingsError(file: path, message: error.message + "; rename the file"))
      }
      guard let main = fragments.first, !main.isMask else {
        throw SettingsErrors(
          SettingsError(
            file: path, message: "it is empty, which hides the workload; write [Workload] and its keys"))
      }
      var file = WorkloadFile(name: name)
      let origins = try file.read(fragments, mainFile: path)
      // With several workers, processes share the data anyway, so two generations may share it too.
      if file.workload.workers != .fixed(1), !origins.has(.Overlap) { file.workload.overlap = true }
      do throws(SettingsError) {
        try file.checkAsAWhole(origins)
      } catch {
        throw SettingsErrors(error)
      }
      return file.workload
    }
  }

  private init(name: String) {
    workload = Workload(name: name)
    defaults = workload
  }

  mutating func assign(_ key: Key, _ value: String) throws(ValueError) {
    switch key {
    case .ExecStart: workload.execStart = try command(value, after: workload.execStart)
    case .ExecReload: workload.execReload = try command(value, after: workload.execReload)
    case .Listen: workload.listen = try parsed(value, else: defaults.listen, word)
    case .Type: workload.type = try parsed(value, else: defaults.type, word)
    case .Probe: workload.probe = try parsed(value, else: nil, probe)
    case .ProbeSec:
      workload.probeInterval = try parsed(value, else: defaults.probeInterval, SettingsValue.interval)
    case .ProbeTimeoutSec:
      workload.probeTimeout = try parsed(
        value, else: defaults.probeTimeout, SettingsValue.interval)
    case .ProbeFailures:
      workload.probeFailures = try parsed(value, else: defaults.probeFailures) { text throws(ValueError) in
        try SettingsValue.integer(text, in: 1...100)
      }
    case .UsersTemplate:
      workload.usersTemplate = try parsed(value, else: nil, SettingsValue.absolutePath)
    case .ReloadSignal: workload.reloadSignal = try parsed(value, else: nil, SettingsValue.signal)
    case .KillSignal:
      workload.killSignal = try parsed(value, else: defaults.killSignal, SettingsValue.signal)
    case .TimeoutStartSec:
      workload.timeoutStart = try parsed(
        value, else: defaults.timeoutStart, SettingsValue.timeout)
    case .TimeoutStopSec:
      workload.timeoutStop = try parsed(value, else: defaults.timeoutStop, SettingsValue.timeout)
    case .TimeoutDrainSec:
      workload.timeoutDrain = try parsed(
        value, else: defaults.timeoutDrain, SettingsValue.timeout)
    case .Overlap: workload.overlap = try parsed(value, else: defaults.overlap, SettingsValue.boolean)
    case .Workers: workload.workers = try parsed(value, else: defaults.workers, workers)
    case .Environment: workload.environment = try environment(value)
    case .IPAddressAllow:
      workload.ipAddressAllow = try list(value, after: workload.ipAddressAllow) {
        word throws(ValueError) in
        _ = try IPPrefix.expand(word)
        return word
      }
    case .BindLogSockets:
      workload.bindLogSockets = try parsed(value, else: defaults.bindLogSockets, SettingsValue.boolean)
    case .LogRateLimitIntervalSec:
      workload.logRateLimit.interval = try parsed(
        value, else: defaults.logRateLimit.interval, SettingsValue.interval)
    case .LogRateLimitBurst:
      workload.logRateLimit.burst = try parsed(
        value, else: defaults.logRateLimit.burst
      ) { text throws(ValueError) in
        try SettingsValue.integer(text, in: 1...1_000_000)
      }
    case .ReadWritePaths:
      workload.readWritePaths = try list(
        value, after: workload.readWritePaths, SettingsValue.optionalPath)
    case .ReadOnlyPaths:
      workload.readOnlyPaths = try list(value, after: workload.readOnlyPaths, SettingsValue.optionalPath)
    case .ReservedPaths:
      workload.reservedPaths = try list(value, after: workload.reservedPaths, SettingsValue.requestPath)
    }
  }

  /// A program and its arguments. A second command needs an empty assignment before it, as in systemd; otherwise it
  /// would be unclear which of the two is meant.
  private func command(_ value: String, after earlier: [String]) throws(ValueError) -> [String] {
    if value.isEmpty { return [] }
    guard earlier.isEmpty else {
      throw ValueError("there is a command already; to replace it, first write the key with an empty value")
    }
    var words = try WordSplitter.command(value)
    guard let program = words.first else { throw ValueError("there is no program") }
    if let prefix = program.utf8.first, "-@:+!|".utf8.contains(prefix) {
      throw ValueError(
        "\(quoted(program)) begins with a prefix of systemd's that pods do not have; remove it")
    }
    words[0] = try SettingsValue.absolutePath(program)
    for word in words { try Placeholders.check(word) }
    return words
  }

  /// Later assignments of the same variable replace earlier ones, as in systemd.
  private func environment(_ value: String) throws(ValueError) -> [String] {
    var result = value.isEmpty ? [] : workload.environment
    for word in try WordSplitter.split(value) {
      let assignment = try SettingsValue.environmentAssignment(word)
      try Placeholders.check(assignment)
      let name = assignment.utf8.prefix { $0 != UInt8(ascii: "=") }
      result.removeAll { $0.utf8.prefix { $0 != UInt8(ascii: "=") }.elementsEqual(name) }
      result.append(assignment)
    }
    return result
  }

  /// A list grows with each assignment and is emptied by an empty one.
  private func list(
    _ value: String, after earlier: [String], _ read: (String) throws(ValueError) -> String
  ) throws(ValueError) -> [String] {
    var result = value.isEmpty ? [] : earlier
    for word in try WordSplitter.split(value) { result.append(try read(word)) }
    return result
  }

  private func workers(_ text: String) throws(ValueError) -> Workload.Workers {
    if text == "auto" { return .auto }
    return .fixed(try SettingsValue.integer(text, in: 1...64))
  }

  private func probe(_ text: String) throws(ValueError) -> Workload.Probe {
    if text == "tcp" { return .tcp }
    let path = text.utf8.dropFirst(5)
    // The path becomes part of a request line: no space, no control character, ASCII only.
    guard path.first == UInt8(ascii: "/"), !path.starts(with: "//".utf8),
      text.utf8.starts(with: "http:".utf8),
      path.allSatisfy({ (0x21...0x7E).contains($0) }),
      path.count <= 1024
    else {
      throw ValueError("\(quoted(text)) is neither tcp nor http:/path; no host, it is the pod's own address")
    }
    return .http(path: String(decoding: path, as: UTF8.self))
  }

  private func word<Word: RawRepresentable<String> & CaseIterable>(
    _ text: String
  ) throws(ValueError) -> Word {
    guard let word = Word(rawValue: text) else {
      let known = Word.allCases.map(\.rawValue).joined(separator: " or ")
      throw ValueError("\(quoted(text)) is not \(known)")
    }
    return word
  }

  private func checkAsAWhole(_ origins: SettingsOrigins<Key>) throws(SettingsError) {
    guard !workload.execStart.isEmpty else {
      throw origins.error(.ExecStart, "there is no program; write ExecStart=/path/of/program ARGUMENTS")
    }
    if workload.type == .exec, workload.probe == nil {
      throw origins.error(
        .Type, "nothing would say when the pod is ready; add Probe=tcp or Probe=http:/path")
    }
    if workload.workers != .fixed(1), workload.listen == .port {
      throw origins.error(
        lastOf: .Workers, .Listen,
        message: "only programs that take podd's socket can share it; write Listen=socket, or remove Workers="
      )
    }
    if workload.overlap, workload.listen == .port {
      throw origins.error(
        .Overlap, "two generations cannot bind one port; write Listen=socket, or remove Overlap=yes")
    }
    if !workload.execReload.isEmpty, workload.reloadSignal != nil {
      throw origins.error(
        lastOf: .ExecReload, .ReloadSignal,
        message: "ExecReload= and ReloadSignal= exclude each other; empty one of them")
    }
  }
}
