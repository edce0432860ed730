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
    .executable(name: "podgate", targets: ["podgate"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
  ],
  targets: [
    .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
    .target(name: "CLinux", cSettings: strictC),
    .target(name: "CCrypto", cSettings: strictC, linkerSettings: [.linkedLibrary("crypto")]),

    .target(name: "Time", swiftSettings: simulated),
    .target(name: "Linux", dependencies: ["CLinux", "Time"], swiftSettings: strict),
    .target(name: "Systemd", dependencies: ["CSystemd", "CLinux", "Linux", "Time"], swiftSettings: strict),
    .target(name: "Cgroup", dependencies: ["CLinux", "Linux", "Time"], swiftSettings: strict),
    .target(name: "HostCheck", dependencies: ["PodModel", "CLinux"], swiftSettings: strict),
    .target(name: "PodModel", dependencies: ["Time"], swiftSettings: simulated),
    .target(
      name: "PodStore",
      dependencies: ["PodModel", "CLinux", "Linux", "Time", .product(name: "GRDB", package: "GRDB.swift")],
      swiftSettings: simulated),
    .target(
      name: "PodAPI",
      dependencies: ["JSONFormat", "OpenMetrics", "Systemd", "PodModel", "Time"],
      resources: [.embedInCode("org.podctl1.xml")],
      swiftSettings: strict),
    .target(name: "HTTPWire", swiftSettings: strict),
    .target(name: "JSONFormat", swiftSettings: strict),
    .target(name: "OpenMetrics", swiftSettings: strict),
    .target(
      name: "TokenCheck", dependencies: ["CCrypto", "JSONFormat", "PodModel", "Time"], swiftSettings: strict),
    .target(
      name: "PodserveCore", dependencies: ["HTTPWire", "CLinux", "Linux", "Time"],
      path: "Sources/podserve/Core",
      swiftSettings: strict),

    .target(
      name: "PoddCore",
      dependencies: [
        "Systemd", "Cgroup", "HostCheck", "PodStore", "PodAPI", "PodModel", "OpenMetrics", "CLinux", "Linux",
        "Time",
        .product(name: "Mustache", package: "swift-mustache"),
      ],
      path: "Sources/podd/Core", swiftSettings: strict),
    .executableTarget(
      name: "podd", dependencies: ["PoddCore"], path: "Sources/podd/Main", swiftSettings: strict),
    .target(
      name: "PodgateCore",
      dependencies: [
        "HTTPWire", "TokenCheck", "PodAPI", "PodModel", "OpenMetrics", "Systemd", "CCrypto", "CLinux",
        "Linux",
        "Time",
      ],
      path: "Sources/podgate/Core", swiftSettings: strict),
    .executableTarget(
      name: "podgate", dependencies: ["PodgateCore"], path: "Sources/podgate/Main", swiftSettings: strict),
    .target(
      name: "PodctlCore",
      dependencies: [
        "PodAPI", "HostCheck", "OpenMetrics", "PodModel", "CLinux", "Linux", "Time", argumentParser,
      ],
      path: "Sources/podctl/Core", swiftSettings: strict),
    .executableTarget(
      name: "podctl", dependencies: ["PodctlCore"], path: "Sources/podctl/Main", swiftSettings: strict),
    .executableTarget(
      name: "podserve", dependencies: ["PodserveCore"], path: "Sources/podserve/Main",
      swiftSettings: strict, linkerSettings: wholeProgram),
    .executableTarget(name: "pod-launch", cSettings: strictC),

    // Started by SystemdTests: what can be shown only in a process of its own.
    .executableTarget(
      name: "systemd-probe", dependencies: ["Systemd", "Time"], path: "Tests/Helpers/systemd-probe",
      swiftSettings: strict),
    // The event loop for the tests of several targets.
    .target(
      name: "LoopThread", dependencies: ["Systemd"], path: "Tests/Helpers/LoopThread", swiftSettings: strict),
    // Integers as times, for the tests of several targets.
    .target(
      name: "TimeLiterals", dependencies: ["Time"], path: "Tests/Helpers/TimeLiterals",
      swiftSettings: simulated),
    // Numbers from a seed, for the tests and measurements of several targets.
    .target(name: "Seeded", path: "Tests/Helpers/Seeded", swiftSettings: simulated),
    // Timed by make bench.
    .executableTarget(
      name: "decisions-bench", dependencies: ["PodModel", "Time"], path: "Tests/Helpers/decisions-bench",
      swiftSettings: strict),
    .executableTarget(
      name: "http-bench", dependencies: ["HTTPWire"], path: "Tests/Helpers/http-bench",
      swiftSettings: strict),
    .executableTarget(
      name: "history-bench", dependencies: ["PodStore", "PodModel", "Time", "Seeded"],
      path: "Tests/Helpers/history-bench",
      swiftSettings: strict),
    // How well leaks are told from growth, on traces of many kinds and beside other rules
    // (docs/leak-benchmark.md).
    .target(
      name: "LeakBench", dependencies: ["PodModel", "Time", "Seeded"], path: "Tests/Helpers/LeakBench",
      swiftSettings: simulated
    ),
    .executableTarget(
      name: "leak-bench", dependencies: ["LeakBench"], path: "Tests/Helpers/leak-bench", swiftSettings: strict
    ),
    .testTarget(
      name: "SystemdTests", dependencies: ["Systemd", "CLinux", "LoopThread", "Time", "systemd-probe"],
      swiftSettings: strict),
    .testTarget(name: "TimeTests", dependencies: ["Time"], swiftSettings: strict),
    .testTarget(name: "LinuxTests", dependencies: ["Linux", "Time", "Seeded"], swiftSettings: strict),
    .testTarget(
      name: "CgroupTests", dependencies: ["Cgroup", "CLinux", "Linux", "Time", "TimeLiterals"],
      swiftSettings: strict),
    .testTarget(name: "HostCheckTests", dependencies: ["HostCheck"], swiftSettings: strict),
    .testTarget(
      name: "PodModelTests", dependencies: ["PodModel", "Linux", "Time", "TimeLiterals", "Seeded"],
      swiftSettings: strict),
    .testTarget(name: "LeakTests", dependencies: ["LeakBench", "PodModel", "Time"], swiftSettings: strict),
    .testTarget(
      name: "PodStoreTests", dependencies: ["PodStore", "PodModel", "Time", "TimeLiterals", "Seeded"],
      swiftSettings: strict),
    .testTarget(
      name: "SimulationTests",
      dependencies: [
        "PodModel", "PodStore", "Time", "Seeded", .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: simulated),
    .testTarget(
      name: "PodAPITests",
      dependencies: ["PodAPI", "OpenMetrics", "PodModel", "Systemd", "CSystemd", "Time", "TimeLiterals"],
      swiftSettings: strict),
    .testTarget(
      name: "PodctlTests",
      dependencies: [
        "PodctlCore", "PodAPI", "PodModel", "HostCheck", "Systemd", "Time", "TimeLiterals", argumentParser,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "PoddTests",
      dependencies: [
        "PoddCore", "LoopThread", "Systemd", "CSystemd", "Cgroup", "PodStore", "PodAPI", "PodModel",
        "OpenMetrics", "Time", "TimeLiterals",
      ],
      swiftSettings: strict),
    .testTarget(name: "HTTPWireTests", dependencies: ["HTTPWire"], swiftSettings: strict),
    .testTarget(name: "OpenMetricsTests", dependencies: ["OpenMetrics"], swiftSettings: strict),
    .testTarget(name: "JSONFormatTests", dependencies: ["JSONFormat"], swiftSettings: strict),
    .testTarget(
      name: "TokenCheckTests", dependencies: ["TokenCheck", "PodModel", "Time", "Seeded"],
      swiftSettings: strict),
    .testTarget(
      name: "PodgateTests",
      dependencies: [
        "PodgateCore", "TokenCheck", "HTTPWire", "PodAPI", "PodModel", "OpenMetrics", "Systemd", "LoopThread",
        "CLinux", "Linux",
        "Time", "TimeLiterals",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "PodserveTests", dependencies: ["PodserveCore", "HTTPWire", "Seeded"], swiftSettings: strict),
  ]
)
