// sources: Sources/PodModel/Formats/{PacketFilter,Padding}.swift Sources/PodModel/Settings/*.swift Sources/PodModel/Settings/Values/*.swift Sources/PodModel/{Identifiers,Tier,Workload}.swift Sources/PodModel/Memory/Shortage*.swift Sources/PodModel/Memory/Leaks/Policy/LeakAction.swift
// modules: Time

/// Any program with CAP_NET_ADMIN changes the packet filter, and the kernel reports each change. No message may trap.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNftables(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: data, count: size))
  precondition(PacketFilter.events(in: input[...]).count <= size / 16)
  return 0
}
