internal import CLinux

/// `KILL` for 9; the number when the C library knows no name for it.
public func signalName(_ number: Int32) -> String {
  guard let text = linux_signal_abbreviation(number) else { return String(number) }
  return String(cString: text)
}
