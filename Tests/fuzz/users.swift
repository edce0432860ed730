// sources: Sources/PodModel/UserName.swift

/// An accepted name must be a safe file name that parses to itself; an error must be one short printable line.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzUsers(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = UnsafeBufferPointer(start: data, count: size)
  do throws(UserNameError) {
    let user = try UserName(validating: input)
    precondition(user.text.utf8.count == size && (1...254).contains(size))
    precondition(!user.text.contains("/") && !user.text.hasPrefix(".") && !user.text.hasPrefix("-"))
    precondition(user.text == user.text.lowercased())
    precondition((try? UserName(validating: user.text)) == user)
    precondition((try? UserName(validating: String(decoding: input, as: UTF8.self))) == user)
  } catch {
    let text = error.description.utf8
    precondition(text.count < 120 && text.allSatisfy { (0x20...0x7E).contains($0) })
  }
  return 0
}
