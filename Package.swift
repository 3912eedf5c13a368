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
    .library(name: "X86EPT", targets: ["X86EPT"]),
    .library(name: "MMU", targets: ["MMU"]),
    .library(name: "Machine", targets: ["Machine"]),
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

    // The host side: entry format, SPTE encoder and exits, one target each.
    .target(name: "X86EPT", dependencies: ["Paging"], swiftSettings: strict),

    // Memslots, table pages, the fault handlers.
    .target(name: "MMU", dependencies: ["Paging"], swiftSettings: strict),

    // vCPUs, TLB, MMIO bus, the life of an access.
    .target(
      name: "Machine", dependencies: ["Paging", "MMU", "X86", "X86Guest"], swiftSettings: strict),

    // What the tests share: a memory that fails on demand, seeded numbers, the literal walk.
    .target(
      name: "TestSupport", dependencies: ["Paging"], path: "Tests/TestSupport",
      swiftSettings: strict),
    .testTarget(
      name: "WalkTests",
      dependencies: [
        "Paging", "X86", "X86Legacy32", "X86PAE", "X86Long", "X86Guest", "TestSupport",
      ], swiftSettings: strict),
    .target(
      name: "MachineSupport",
      dependencies: ["Paging", "X86", "X86Guest", "X86EPT", "MMU", "Machine", "TestSupport"],
      path: "Tests/MachineSupport", swiftSettings: strict),
    .testTarget(
      name: "EncodingTests", dependencies: ["Paging", "X86EPT", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "MachineTests",
      dependencies: [
        "Paging", "X86", "X86Guest", "X86EPT", "MMU", "Machine", "MachineSupport", "TestSupport",
      ], swiftSettings: strict),
    .testTarget(
      name: "StructureTests", dependencies: ["TestSupport"], swiftSettings: strict),
  ]
)
