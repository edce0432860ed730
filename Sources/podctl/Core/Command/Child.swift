internal import Glibc
internal import Linux

/// Another program: journalctl, ssh, a pager. No shell is involved.
struct Child: ~Copyable {
  private let process: ChildProcess
  /// Our end of the pipe to its standard input or from its standard output.
  private let pipe: FileDescriptor

  /// Starts a program from PATH with one pipe; nil when there is no such program.
  private init?(_ arguments: [String], input: Bool, quietErrors: Bool = false) {
    guard let program = arguments.first, let ends = try? Pipe(),
      let null = try? FileDescriptor.open("/dev/null", O_WRONLY)
    else { return nil }
    let reader = ends.reader
    let writer = ends.writer
    let errors = quietErrors ? null.raw : STDERR_FILENO
    guard
      let process = try? ChildProcess(
        program, arguments, environment: nil,
        descriptors: input ? [reader.raw, STDOUT_FILENO, errors] : [STDIN_FILENO, writer.raw, errors],
        session: .callers)
    else { return nil }
    self.process = process
    pipe = input ? writer : reader
  }

  /// Gives a program all of `content` to read and waits for its end; false when there is no such program.
  static func feed(_ content: [UInt8], to arguments: [String]) -> Bool {
    guard let child = Child(arguments, input: true) else { return false }
    // Ctrl-C belongs to the program.
    signal(SIGINT, SIG_IGN)
    Output.write(content, to: child.pipe.raw)
    _ = child.finish()
    return true
  }

  /// Everything that a program writes; nil when it cannot be started. The status is its exit status, or 128
  /// plus the signal that ended it.
  static func output(of arguments: [String], quietErrors: Bool = false) -> (status: Int32, bytes: [UInt8])? {
    guard let child = Child(arguments, input: false, quietErrors: quietErrors) else { return nil }
    let content = (try? child.pipe.readAll(limit: .max)) ?? []
    return (child.finish(), content)
  }

  /// Closes the pipe and waits for the program's end.
  private consuming func finish() -> Int32 {
    let process = process
    do { _ = consume pipe }
    return switch process.wait() {
    case .exited(let status): status
    case .killed(let signal, _): 128 + signal
    case nil: 0
    }
  }

  /// Becomes another program; returns only when that fails.
  static func replaceProcess(_ arguments: [String]) -> Failure {
    var pointers = arguments.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    pointers.withUnsafeMutableBufferPointer { buffer in
      guard let vector = buffer.baseAddress, let program = vector[0] else {
        fatalError("a command needs a program")
      }
      _ = execvp(program, vector)
    }
    return Failure("cannot run \(arguments.first ?? ""): \(Errno.last().text)")
  }
}
