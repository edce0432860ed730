internal import Glibc

/// Another program: journalctl, ssh, a pager. Never through a shell.
struct Child {
  let pid: pid_t
  /// Our end of the pipe to its standard input or from its standard output.
  let pipe: CInt

  /// Starts a program from PATH with one pipe; nil when it is not there.
  static func start(_ arguments: [String], input: Bool, quietErrors: Bool = false) -> Child? {
    var ends: [CInt] = [0, 0]
    guard Glibc.pipe(&ends) == 0 else { return nil }
    // Not pipe2, which Glibc's module hides: podctl has one thread, nobody forks in between.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let (theirs, ours) = input ? (ends[0], ends[1]) : (ends[1], ends[0])
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, theirs, input ? STDIN_FILENO : STDOUT_FILENO)
    if quietErrors {
      posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    }
    defer { posix_spawn_file_actions_destroy(&actions) }
    var pid: pid_t = 0
    let result = withArguments(arguments) { program, vector in
      posix_spawnp(&pid, program, &actions, nil, vector, environ)
    }
    close(theirs)
    guard result == 0 else {
      close(ours)
      return nil
    }
    return Child(pid: pid, pipe: ours)
  }

  /// Its exit status, or 128 plus the signal that ended it.
  func wait() -> Int32 {
    var status: CInt = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
  }

  /// Everything a program writes; nil when it cannot be started.
  static func output(of arguments: [String], quietErrors: Bool = false) -> (status: Int32, bytes: [UInt8])? {
    guard let child = start(arguments, input: false, quietErrors: quietErrors) else { return nil }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let got = read(child.pipe, &chunk, chunk.count)
      if got < 0 && errno == EINTR { continue }
      if got <= 0 { break }
      content.append(contentsOf: chunk[..<got])
    }
    close(child.pipe)
    return (child.wait(), content)
  }

  /// Becomes another program; returns only when that fails.
  static func replaceProcess(_ arguments: [String]) -> Failure {
    withArguments(arguments) { program, vector in _ = execvp(program, vector) }
    let why = String(cString: strerror(errno))
    return Failure("cannot run \(arguments.first ?? ""): \(why)")
  }

  private static func withArguments<Result>(
    _ arguments: [String],
    _ body: (UnsafePointer<CChar>, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    var pointers = arguments.map { strdup($0) } + [nil]
    defer { pointers.forEach { free($0) } }
    return pointers.withUnsafeMutableBufferPointer { buffer in
      guard let vector = buffer.baseAddress, let program = vector[0] else {
        fatalError("a command needs a program")
      }
      return body(program, vector)
    }
  }
}
