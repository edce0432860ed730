internal import Glibc

/// A numeric IPv4 address as the kernel's structs hold it, in network byte order; nil when `text` is none.
public func ipv4(_ text: String) -> UInt32? {
  var address = in_addr()
  return inet_pton(AF_INET, text, &address) == 1 ? address.s_addr : nil
}
