// swift-tools-version: 6.2

import PackageDescription

/// What every Swift target of ours is compiled with. Warnings are errors here and nowhere else,
/// so that a dependency's new warning never stops a release.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// Optimised in debug builds too: the simulation lives through thousands of worlds in every test run.
let simulated: [SwiftSetting] = strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]

let strictC: [CSetting] = [
  .unsafeFlags(["-Wall", "-Wextra", "-Werror", "-std=gnu11", "-fno-common"])
]

/// A program that runs once a pod is linked whole: a third of its start is the dynamic loader's otherwise.
let wholeProgram: [LinkerSetting] = [
  .unsafeFlags(["-static-executable", "-Xclang-linker", "-static-pie"], .when(configuration: .release))
]

let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "podctl",
  products: [
    .executable(name: "podd", targets: ["podd"]),
    .executable(name: "podctl", targets: ["podctl"]),
    .executable(name: "podserve", targets: ["podserve"]),
    .executable(name: "pod-launch", targets: ["pod-launch"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
  ],
  targets: [
    .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
    .target(name: "CLinux", cSettings: strictC),

    .target(name: "Time", swiftSettings: simulated),
    .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: strict),
    .target(name: "Systemd", dependencies: ["CSystemd", "CLinux", "Linux"], swiftSettings: strict),
    .target(name: "Cgroup", dependencies: ["CLinux", "Linux"], swiftSettings: strict),
    .target(name: "HostCheck", dependencies: ["PodModel"], swiftSettings: strict),
    .target(name: "PodModel", swiftSettings: simulated),
    .target(
      name: "PodStore",
      dependencies: ["PodModel", "CLinux", "Linux", .product(name: "GRDB", package: "GRDB.swift")],
      swiftSettings: simulated),
    .target(
      name: "PodAPI", dependencies: ["Systemd", "PodModel"], resources: [.embedInCode("org.podctl1.xml")],
      swiftSettings: strict),
    .target(name: "HTTPWire", swiftSettings: strict),
    .target(
      name: "PodserveCore", dependencies: ["HTTPWire", "CLinux", "Linux"], path: "Sources/podserve/Core",
      swiftSettings: strict),

    .target(
      name: "PoddCore",
      dependencies: [
        "Systemd", "Cgroup", "HostCheck", "PodStore", "PodAPI", "PodModel", "CLinux", "Linux",
        .product(name: "Mustache", package: "swift-mustache"),
      ],
      path: "Sources/podd/Core", swiftSettings: strict),
    .executableTarget(
      name: "podd", dependencies: ["PoddCore"], path: "Sources/podd/Main", swiftSettings: strict),
    .target(
      name: "PodctlCore",
      dependencies: ["PodAPI", "HostCheck", "Systemd", "PodModel", "CLinux", "Linux", argumentParser],
      path: "Sources/podctl/Core", swiftSettings: strict),
    .executableTarget(
      name: "podctl", dependencies: ["PodctlCore"], path: "Sources/podctl/Main", swiftSettings: strict),
    .executableTarget(
      name: "podserve", dependencies: ["PodserveCore"], path: "Sources/podserve/Main",
      swiftSettings: strict, linkerSettings: wholeProgram),
    .executableTarget(name: "pod-launch", cSettings: strictC),

    // Started by SystemdTests: what can be shown only in a process of its own.
    .executableTarget(
      name: "systemd-probe", dependencies: ["Systemd"], path: "Tests/Helpers/systemd-probe",
      swiftSettings: strict),
    // The event loop for the tests of several targets.
    .target(
      name: "LoopThread", dependencies: ["Systemd"], path: "Tests/Helpers/LoopThread", swiftSettings: strict),
    // Timed by make bench.
    .executableTarget(
      name: "decisions-bench", dependencies: ["PodModel"], path: "Tests/Helpers/decisions-bench",
      swiftSettings: strict),
    .executableTarget(
      name: "history-bench", dependencies: ["PodStore", "PodModel"], path: "Tests/Helpers/history-bench",
      swiftSettings: strict),
    // How well leaks are told from growth, on traces of many kinds and beside other rules
    // (docs/leak-benchmark.md).
    .target(
      name: "LeakBench", dependencies: ["PodModel"], path: "Tests/Helpers/LeakBench", swiftSettings: simulated
    ),
    .executableTarget(
      name: "leak-bench", dependencies: ["LeakBench"], path: "Tests/Helpers/leak-bench", swiftSettings: strict
    ),
    .testTarget(
      name: "SystemdTests", dependencies: ["Systemd", "CLinux", "LoopThread", "systemd-probe"],
      swiftSettings: strict),
    .testTarget(name: "TimeTests", dependencies: ["Time"], swiftSettings: strict),
    .testTarget(name: "LinuxTests", dependencies: ["Linux"], swiftSettings: strict),
    .testTarget(name: "CgroupTests", dependencies: ["Cgroup"], swiftSettings: strict),
    .testTarget(name: "HostCheckTests", dependencies: ["HostCheck"], swiftSettings: strict),
    .testTarget(name: "PodModelTests", dependencies: ["PodModel", "Linux"], swiftSettings: strict),
    .testTarget(name: "LeakTests", dependencies: ["LeakBench", "PodModel"], swiftSettings: strict),
    .testTarget(name: "PodStoreTests", dependencies: ["PodStore", "PodModel"], swiftSettings: strict),
    .testTarget(
      name: "SimulationTests",
      dependencies: ["PodModel", "PodStore", .product(name: "GRDB", package: "GRDB.swift")],
      swiftSettings: simulated),
    .testTarget(
      name: "PodAPITests", dependencies: ["PodAPI", "PodModel", "Systemd", "CSystemd"], swiftSettings: strict),
    .testTarget(
      name: "PodctlTests",
      dependencies: ["PodctlCore", "PodAPI", "PodModel", "HostCheck", "Systemd", argumentParser],
      swiftSettings: strict),
    .testTarget(
      name: "PoddTests",
      dependencies: [
        "PoddCore", "LoopThread", "Systemd", "CSystemd", "Cgroup", "PodStore", "PodAPI", "PodModel",
      ],
      swiftSettings: strict),
    .testTarget(name: "HTTPWireTests", dependencies: ["HTTPWire"], swiftSettings: strict),
    .testTarget(
      name: "PodserveTests", dependencies: ["PodserveCore", "HTTPWire"], swiftSettings: strict),
  ]
)
