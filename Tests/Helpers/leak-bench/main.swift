import Glibc
import LeakBench

// Measures how well podd's detector distinguishes leaks from growth, compared with four other rules on the same traces
// (docs/leak-benchmark.md).

let usage = """
  usage: leak-bench [--seed N | --seeds N-M] [--kinds first|wider] [--count 480] [--json] [--wrong] [--only RULE]
         leak-bench [--seed N] [--kinds first|wider] [--count 480] --write DIRECTORY
         leak-bench --real DIRECTORY [--json] [--wrong]
         leak-bench --tune [--seeds 1-5] [--count 480]

    --seeds   seeds 1-5 are for tuning rules; published figures use seeds from 1001 on, which are not used for tuning
    --count   the number of traces per seed
    --wrong   name the traces that podctl's detector judged wrongly
    --only    use only rules whose name contains RULE
    --write   write the traces and labels.csv, for podctl leak-replay
    --real    score the traces of a directory with a labels.csv, such as Tests/leak-traces
    --tune    score all parameters with which the other rules were tried
    --kinds   the kinds of the first benchmark, or those that were added later; default: first
    --list    list the kinds of traces

  """

struct Options {
  var seeds: ClosedRange<UInt64> = 1001...1001
  var count = 480
  var json = false
  var wrong = false
  var tune = false
  var set = KindSet.first
  var only = ""
  var write: String?
  var real: String?
}

func fail(_ message: String, _ status: CInt) -> Never {
  let line = "leak-bench: \(message)\n"
  _ = write(STDERR_FILENO, line, line.utf8.count)
  exit(status)
}

func seeds(_ text: String) -> ClosedRange<UInt64>? {
  let ends = text.split(separator: "-").compactMap { UInt64($0) }
  guard let first = ends.first, let last = ends.last, first <= last, ends.count <= 2 else { return nil }
  return first...last
}

func options() -> Options {
  var options = Options()
  var arguments = CommandLine.arguments.dropFirst()
  func value(_ name: String) -> String {
    guard let value = arguments.popFirst() else { fail("\(name) needs a value\n\(usage)", 64) }
    return value
  }
  while let argument = arguments.popFirst() {
    switch argument {
    case "--help":
      print(usage, terminator: "")
      exit(0)
    case "--list":
      for set in KindSet.allCases {
        for kind in Traces.kinds(set) { print(set.rawValue, kind.leaks ? "leak   " : "healthy", kind.name) }
      }
      exit(0)
    case "--kinds":
      guard let set = KindSet(rawValue: value(argument)) else { fail("--kinds must be first or wider", 64) }
      options.set = set
    case "--json": options.json = true
    case "--wrong": options.wrong = true
    case "--tune":
      options.tune = true
      options.seeds = Traces.tuningSeeds
    case "--only": options.only = value(argument)
    case "--write": options.write = value(argument)
    case "--real": options.real = value(argument)
    case "--seed", "--seeds":
      guard let range = seeds(value(argument)) else { fail("\(argument) must be N or N-M", 64) }
      options.seeds = range
    case "--count":
      guard let count = Int(value(argument)), (1...100_000).contains(count) else {
        fail("--count must be from 1 to 100000", 64)
      }
      options.count = count
    default: fail("unknown argument \(argument)\n\(usage)", 64)
    }
  }
  return options
}

func writeTraces(_ options: Options, to directory: String) throws(TraceFiles.Failure) {
  guard mkdir(directory, 0o755) == 0 || errno == EEXIST else {
    fail("\(directory): \(String(cString: strerror(errno)))", 1)
  }
  var labels: [String] = []
  for seed in options.seeds {
    for trace in Traces(seed: seed, count: options.count, set: options.set) {
      try TraceFiles.write(trace, to: directory)
      labels.append(TraceFiles.label(trace))
    }
  }
  try TraceFiles.writeLabels(labels, to: directory)
}

func run(_ options: Options) throws(TraceFiles.Failure) {
  if let directory = options.write { return try writeTraces(options, to: directory) }
  let rules = (options.tune ? Candidate.choices : [.detector] + Candidate.rivals).filter {
    options.only.isEmpty || $0.name.contains(options.only)
  }
  guard !rules.isEmpty else { fail("no rule has \(options.only) in its name", 64) }
  var scores = rules.map { Score(name: $0.name) }
  var count = 0
  func take(_ trace: Trace) {
    count += 1
    for index in rules.indices { scores[index].add(rules[index], trace) }
  }
  let source: String
  if let directory = options.real {
    source = "recorded, \(directory)"
    for trace in try TraceFiles.read(directory) { take(trace) }
  } else {
    let (first, last) = (options.seeds.lowerBound, options.seeds.upperBound)
    source = first == last ? "seed \(first)" : "seeds \(first)-\(last)"
    for seed in options.seeds {
      for trace in Traces(seed: seed, count: options.count, set: options.set) { take(trace) }
    }
  }
  if options.tune { scores.sort { $0.balance > $1.balance } }
  let report = Report(scores, traces: count, source: source)
  print(options.json ? report.json : report.text, terminator: "")
  if options.wrong, let first = scores.first {
    print("\n\(first.name) was wrong about:\n\(Report.wrong(first))", terminator: "")
  }
}

do throws(TraceFiles.Failure) {
  try run(options())
} catch {
  fail(error.description, 1)
}
