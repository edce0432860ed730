// sources: Sources/PodModel/Settings/*.swift Sources/PodModel/Settings/Values/*.swift Sources/PodModel/{Identifiers,Tier,Workload}.swift Sources/PodModel/Memory/Shortage*.swift Sources/PodModel/Memory/Leaks/Policy/LeakAction.swift Sources/PodModel/Formats/Padding.swift
// modules: Time
// seeds: units/defaults/*.conf units/defaults/*/*.conf

/// Parses the input as each kind of settings file; NULs separate the main file and its drop-ins. Nothing may crash,
/// accepted settings must have the properties on which podd relies, and each mistake must be one printable line.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSettings(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: data, count: size))
  let fragments = input.split(separator: 0, maxSplits: 3, omittingEmptySubsequences: false).enumerated().map {
    SettingsFragment(path: "fragment-\($0)", contents: Array($1))
  }
  do throws(SettingsErrors) {
    let tier = try TierFile.check(name: "fuzz", fragments: fragments, physicalMemory: 8 << 30).get()
    precondition((1...1000).contains(tier.usersPerPod))
    precondition(tier.memoryMax != 0 && (tier.memoryHigh ?? 0) <= (tier.memoryMax ?? .max))
  } catch {
    check(error)
  }
  do throws(SettingsErrors) {
    check(try WorkloadFile.check(name: "fuzz", fragments: fragments).get())
  } catch {
    check(error)
  }
  do throws(SettingsErrors) {
    let settings = try PoddSettings.check(fragments).get()
    precondition((1...64).contains(settings.launchesMax) && settings.portRange.lowerBound >= 1024)
    precondition(settings.restartDelay <= settings.restartMaxDelay)
  } catch {
    check(error)
  }
  return 0
}

private func check(_ workload: Workload) {
  let expanded = workload.expand(
    Placeholders(
      address: "127.77.0.1", port: 10001, pod: PodName(number: 1), usersFile: "/run/u s", stateDirectory: "/s"
    ))
  precondition(expanded.execStart.count == workload.execStart.count)
  precondition(expanded.execStart.first?.utf8.first == UInt8(ascii: "/"))
  for word in expanded.execStart + expanded.execReload + expanded.environment {
    precondition(!word.utf8.contains(0))
  }
  for word in workload.ipAddressAllow {
    precondition((try? IPPrefix.expand(word)) != nil)
  }
  for path in workload.readWritePaths + workload.readOnlyPaths {
    precondition(path.hasPrefix("/") || path.hasPrefix("-/"))
    precondition(!path.split(separator: "/").contains(".."))
  }
}

private func check(_ errors: SettingsErrors) {
  precondition(errors.all.first == errors.first && errors.all.count <= SettingsErrors.limit)
  for text in errors.all.map(\.description) + [errors.description] { check(text) }
}

private func check(_ text: String) {
  precondition(text.utf8.count < 2000)
  precondition(!text.utf8.contains { $0 < 0x20 || $0 == 0x7F })
}
