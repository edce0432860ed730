internal import ArgumentParser
internal import PodModel

/// Reads a user's name as the contract allows it, before anything is sent.
func checkedUser(_ text: String) throws -> String {
  do throws(UserNameError) {
    return try UserName(validating: text).text
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

/// What a verb that takes USER|POD was given. A pod's name is always the pod.
enum Target {
  case pod(String)
  case user(String)

  init(_ text: String) throws {
    self = PodName(text) != nil ? .pod(text) : .user(try checkedUser(text))
  }
}

/// A stranger's text in one of our lines: short, and without anything that moves the cursor.
func quoted(_ text: String) -> String {
  let shown = text.unicodeScalars.prefix(40).map {
    $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) ? "?" : String($0)
  }
  return "\"" + shown.joined() + (text.unicodeScalars.count > 40 ? "…" : "") + "\""
}
