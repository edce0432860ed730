// sources: Sources/PodModel/Formats/NotifyMessage.swift

/// Any process of a pod can send any bytes to podd's notify socket. Only a line that is `READY=1` is one.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNotify(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: data, count: size))
  var isReady = false
  var line: [UInt8] = []
  for byte in input + [10] {
    if byte == 10 {
      isReady = isReady || line == Array("READY=1".utf8)
      line = []
    } else {
      line.append(byte)
    }
  }
  precondition(NotifyMessage.saysReady(input[...]) == isReady)
  return 0
}
