// swift-tools-version: 6.2

import PackageDescription

/// What every Swift target of the package is built with.
let strict: [SwiftSetting] = [
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "swift-mmu",
  products: [
    .library(name: "Paging", targets: ["Paging"]),
    .library(name: "X86Guest", targets: ["X86Guest"]),
  ],
  targets: [
    // The protocols and the one walker; imports nothing of the project.
    .target(name: "Paging", swiftSettings: strict),

    // Guest modes: what they share, then one target each, then the choice among them.
    .target(name: "X86", dependencies: ["Paging"], swiftSettings: strict),
    .target(name: "X86Legacy32", dependencies: ["Paging", "X86"], swiftSettings: strict),
    .target(name: "X86PAE", dependencies: ["Paging", "X86"], swiftSettings: strict),
    .target(name: "X86Long", dependencies: ["Paging", "X86"], swiftSettings: strict),
    .target(
      name: "X86Guest",
      dependencies: ["Paging", "X86", "X86Legacy32", "X86PAE", "X86Long"], swiftSettings: strict),

    // What the tests share: a memory that fails on demand, seeded numbers, the literal walk.
    .target(
      name: "TestSupport", dependencies: ["Paging"], path: "Tests/TestSupport",
      swiftSettings: strict),
    .testTarget(
      name: "WalkTests",
      dependencies: [
        "Paging", "X86", "X86Legacy32", "X86PAE", "X86Long", "X86Guest", "TestSupport",
      ], swiftSettings: strict),
    .testTarget(
      name: "StructureTests", dependencies: ["TestSupport"], swiftSettings: strict),

    // What `make bench` runs. The C twin alone is tuned to the machine; the Swift side is built as a
    // user of the package gets it.
    .target(
      name: "CBenchTwin",
      cSettings: [.unsafeFlags(["-std=c11", "-O3", "-march=native", "-Wall", "-Wextra"])]),
    .target(
      name: "MMUBench",
      dependencies: ["Paging", "X86", "X86Guest", "X86Long", "X86PAE", "CBenchTwin"],
      swiftSettings: strict),
    .executableTarget(
      name: "mmu-bench", dependencies: ["MMUBench"], path: "Sources/MMUBenchTool",
      swiftSettings: strict),
    .testTarget(
      name: "MMUBenchTests",
      dependencies: ["MMUBench", "CBenchTwin", "Paging", "X86", "X86Guest"],
      swiftSettings: strict),
  ]
)
