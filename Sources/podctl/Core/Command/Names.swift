internal import ArgumentParser
internal import PodModel

/// Parses a user's name before anything is sent.
func checkedUser(_ text: String) throws -> UserName {
  do throws(UserNameError) {
    return try UserName(validating: text)
  } catch {
    throw ValidationError("\(error)")
  }
}

func checkedPod(_ text: String) throws -> String {
  guard PodName(text) != nil else {
    throw ValidationError("\(quoted(text)) is not a pod's name; pods are called pod-001, pod-002 …")
  }
  return text
}

/// The argument of a verb that takes USER|POD. A pod's name always means the pod.
enum Target {
  case pod(String)
  case user(UserName)

  init(_ text: String) throws {
    self = PodName(text) != nil ? .pod(text) : .user(try checkedUser(text))
  }
}

/// Text from outside as one line, with control characters replaced.
func printable(_ text: String) -> String {
  var line = ""
  for scalar in text.unicodeScalars {
    let control = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
    line.unicodeScalars.append(control ? "?" : scalar)
  }
  return line
}

/// Text from outside for a message: short, quoted, and printable.
func quoted(_ text: String) -> String {
  let scalars = text.unicodeScalars
  let shown = printable(String(String.UnicodeScalarView(scalars.prefix(40))))
  return "\"" + shown + (scalars.count > 40 ? "…" : "") + "\""
}
