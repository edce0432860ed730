// sources: Sources/PodModel/Identifiers.swift Sources/PodModel/Formats/Padding.swift

/// Anybody on the bus may name a pod, and systemd's list of units has what others called theirs. A text that is accepted
/// is the only spelling of its name.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNames(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let text = String(decoding: UnsafeBufferPointer(start: data, count: size), as: UTF8.self)
  if let pod = PodName(text) { precondition(pod.description == text && PodName(pod.description) == pod) }
  if let unit = UnitName(text) {
    precondition(unit.description == text && UnitName(unit.description) == unit)
  }
  return 0
}
