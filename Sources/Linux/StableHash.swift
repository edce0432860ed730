/// FNV-1a, 64 bits: a name for a text, the same in every process. Not against anybody who looks for two texts with one
/// name.
public func stableHash(of text: String) -> UInt64 {
  text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
