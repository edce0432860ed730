// sources: Sources/PodModel/Memory/Leaks/{Leak{Detector,Finding,Judgement,Thresholds},Policy/LeakReason,Memory{Intake,Floors,Trend}}.swift Sources/PodModel/Memory/Memory{Sample,Trace}.swift Sources/PodModel/Formats/ByteSize.swift Sources/PodModel/Settings/Values/Digits.swift
// modules: Time

import Time

/// Passes accepted samples to the leak detector, which must not trap; an error must be one printable line.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTrace(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = UnsafeBufferPointer(start: data, count: size)
  var trace = MemoryTrace()
  var detector = LeakDetector(memoryMax: 96 << 20, memoryHigh: nil)
  var last = LoopTime.zero
  do throws(MemoryTraceError) {
    var start = 0
    while start < size {
      let end = input[start...].firstIndex(of: UInt8(ascii: "\n")) ?? size
      if let sample = try trace.read(UnsafeBufferPointer(rebasing: input[start..<end])) {
        precondition(sample.at >= last && sample.activeUsers >= 0)
        last = sample.at
        let finding = detector.add(sample)
        precondition(finding.slope.isFinite && !finding.reason.isEmpty)
        precondition(!finding.isLeak || finding.detectedAt != nil)
      }
      start = end + 1
    }
    try trace.finish()
  } catch {
    let text = error.description.utf8
    precondition(text.count < 300 && text.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
  }
  return 0
}
