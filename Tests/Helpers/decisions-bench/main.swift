import Glibc
import PodModel
import Time

// Prints how many decisions the lifecycle makes per second of processor time, for a pod that starts, serves, is
// replaced, crashes and comes back, repeatedly. `decisions-bench detector` prints the cost of the leak detector instead:
// nanoseconds per sample and bytes per pod.

func processorTime() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

if CommandLine.arguments.dropFirst().first == "detector" {
  let cost = detectorCost()
  print(cost.nanosecondsPerSample, cost.bytesPerPod)
  exit(0)
}

let events: [Lifecycle.Event] = [
  .start, .ready(of: .current), .restart(.operator, .overlap), .ready(of: .other),
  .ended(.exited(0), of: .other),
  .restart(.operator, .drain), .drained, .ended(.exited(0)), .ready(of: .current), .failed(.health),
  .ended(.signal("KILL")),
  .backoffElapsed, .ready(of: .current), .stop(.operator, then: .cold), .ended(.exited(0)),
]
var policy = Lifecycle.Policy()
policy.burst = .max
var pod = Lifecycle(wanted: .cold, startLimitHit: false, lastEnd: nil, restarts: 0, now: .zero)
var now = LoopTime.zero
var effects = 0
let rounds = 200_000
let start = processorTime()
for _ in 0..<rounds {
  for event in events {
    now += .seconds(10)
    effects &+= pod.handle(event, now: now, random: 0.5, policy: policy).count
  }
}
let seconds = processorTime() - start
// Uses the results, so that the compiler cannot remove the work.
precondition(effects > rounds)
print(Int(Double(rounds * events.count) / seconds))
