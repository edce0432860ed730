// sources: Sources/PodModel/Formats/SocketTable.swift

/// The kernel writes this table, but a line may be cut, and its rows belong to anybody.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSockets(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let text = String(decoding: UnsafeBufferPointer(start: data, count: size), as: UTF8.self)
  for listener in SocketTable.listeners(in: text) {
    precondition(listener.link.hasPrefix("socket:[") && listener.link.hasSuffix("]"))
  }
  return 0
}
