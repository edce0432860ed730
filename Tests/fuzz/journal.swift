// sources: Sources/PodModel/Formats/JournalExport.swift Sources/PodModel/Formats/LogExcerpt.swift
// modules: Time

internal import Time

/// A pod writes what it likes into the journal, and podd reads it from the end of a file. No bytes may trap, whatever was
/// written comes back, and what is kept of a line is short and harmless on a terminal.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJournal(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: data, count: size))

  _ = JournalExport.messages(in: input, since: .zero)
  var fields = 0
  JournalExport.eachEntry(in: input[...]) { entry, _ in
    precondition(!entry.isEmpty)
    fields += entry.count
  }
  precondition(fields <= size)

  var written: [UInt8] = Array("__CURSOR=c\n__MONOTONIC_TIMESTAMP=7\nMESSAGE\n".utf8)
  for shift in 0..<8 { written.append(UInt8(truncatingIfNeeded: size >> (8 * shift))) }
  written += input + [10, 10]
  precondition(JournalExport.messages(in: written, since: .zero) == [input])

  for line in LogExcerpt.lines(input, count: 5) {
    precondition(line.utf8.count <= LogExcerpt.lineMax)
    precondition(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
  }
  return 0
}
