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
    .library(name: "X86Shadow", targets: ["X86Shadow"]),
    .library(name: "X86NPT", targets: ["X86NPT"]),
    .library(name: "X86TDX", targets: ["X86TDX"]),
    .library(name: "MMU", targets: ["MMU"]),
    .library(name: "Machine", targets: ["Machine"]),
    .library(name: "PluginHost", targets: ["PluginHost"]),
    .library(name: "GuestImage", targets: ["GuestImage"]),
    .executable(name: "mmu", targets: ["MMUCommand"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
  ],
  targets: [
    // The protocols and the one walker; imports nothing of the project.
    .target(name: "Paging", swiftSettings: strict),
    // Two headers: the prefetch instruction, and files in memory that snapshots are.
    .systemLibrary(name: "CPrefetch"),
    .systemLibrary(name: "CPageFile"),

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
    .target(name: "X86TDX", dependencies: ["Paging"], swiftSettings: strict),
    .target(name: "X86Shadow", dependencies: ["Paging"], swiftSettings: strict),
    .target(name: "X86NPT", dependencies: ["Paging", "X86"], swiftSettings: strict),

    // Memslots, table pages, the fault handlers.
    .target(
      name: "MMU", dependencies: ["Paging", "X86TDX", "CPageFile", "CPrefetch"],
      swiftSettings: strict),

    // vCPUs, TLB, MMIO bus, the life of an access.
    .target(
      name: "Machine", dependencies: ["Paging", "MMU", "X86", "X86Guest", "X86TDX"],
      swiftSettings: strict),
    // Small races of the TDP MMU's threads, run in every order.
    .target(
      name: "Schedules",
      dependencies: ["Machine", "MMU", "Paging", "X86", "X86EPT", "X86Guest", "X86NPT"],
      swiftSettings: strict),
    // Memory images: ELF cores, LiME and raw files, read only and as untrusted.
    .systemLibrary(name: "CELF"),
    .target(name: "Notation", swiftSettings: strict),
    .target(
      name: "GuestImage",
      dependencies: [
        "CELF", "Notation", "Paging", "X86", "X86EPT", "X86Guest", "X86NPT", "X86PAE",
        .product(name: "SystemPackage", package: "swift-system"),
      ], swiftSettings: strict),

    // Plugins: the public C header, libffi, and the host that loads and calls them.
    .systemLibrary(name: "CMMUPlugin", path: "Plugins/include"),
    .systemLibrary(
      name: "CFFI", path: "Sources/CFFI", pkgConfig: "libffi",
      providers: [.apt(["libffi-dev"]), .brew(["libffi"])]),
    // A header that starts processes, for plugins that run apart.
    .systemLibrary(name: "CWorker"),
    .target(
      name: "PluginHost", dependencies: ["Paging", "CELF", "CFFI", "CMMUPlugin", "CWorker"],
      swiftSettings: strict),

    // Access cases, and the CPU of this machine to ask about them.
    .target(
      name: "AccessCases",
      dependencies: ["Notation", "Paging", "Report", "X86", "X86Guest", "X86PAE"],
      swiftSettings: strict),
    .systemLibrary(name: "CKVM"),
    .target(
      name: "RealCPU", dependencies: ["AccessCases", "CKVM", "Paging", "X86"],
      swiftSettings: strict),

    // Scenarios; what the tools print; the command line.
    .target(
      name: "Scenario",
      dependencies: [
        "GuestImage", "Machine", "MMU", "Notation", "Paging", "Report", "X86", "X86EPT",
        "X86NPT", "X86Shadow", "X86TDX", "X86Guest", "X86Long", "X86PAE", "PluginHost",
        .product(name: "SystemPackage", package: "swift-system"), "Yams",
      ], swiftSettings: strict),
    .target(name: "Report", dependencies: ["Paging"], swiftSettings: strict),

    // One access told: rules, error code, the smallest change that would let it through.
    .target(
      name: "Explain", dependencies: ["Paging", "Report", "X86", "X86Guest", "X86PAE"],
      swiftSettings: strict),
    // What is found in an image: mappings, trees, roots.
    .target(
      name: "Inspection",
      dependencies: [
        "GuestImage", "Paging", "Report", "X86", "X86Guest", "X86Legacy32", "X86Long", "X86PAE",
      ], swiftSettings: strict),
    // What a migration would cost, from an image and a trace.
    .target(
      name: "Forecast",
      dependencies: ["GuestImage", "MMU", "Paging", "Report", "Scenario", "X86"],
      swiftSettings: strict),
    .executableTarget(
      name: "MMUCommand",
      dependencies: [
        "GuestImage", "MMUBench", "Notation", "Paging", "PluginHost", "Report", "Scenario", "X86",
        "X86EPT", "X86Guest", "X86Long", "X86NPT", "X86PAE", "X86Shadow", "X86TDX", "Explain",
        "AccessCases", "Forecast", "Inspection", "RealCPU", "Schedules",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      resources: [
        .embedInCode("Plugin/Templates/Makefile.c.in"),
        .embedInCode("Plugin/Templates/Makefile.cpp.in"),
        .embedInCode("Plugin/Templates/Makefile.rs.in"),
        .embedInCode("Plugin/Templates/plugin.c.in"),
        .embedInCode("Plugin/Templates/plugin.cpp.in"),
        .embedInCode("Plugin/Templates/plugin.rs.in"),
      ], swiftSettings: strict),

    // The README's programs, which tests run.
    .executableTarget(
      name: "WalkImage",
      dependencies: [
        "GuestImage", "Paging", .product(name: "SystemPackage", package: "swift-system"),
      ], path: "Examples/WalkImage", swiftSettings: strict),
    .executableTarget(
      name: "ComposeMachine",
      dependencies: ["MMU", "Machine", "Paging", "X86", "X86EPT", "X86Guest"],
      path: "Examples/ComposeMachine", swiftSettings: strict),
    .executableTarget(
      name: "Compositions",
      dependencies: [
        "GuestImage", "MMU", "Machine", "Paging", "PluginHost", "X86", "X86EPT", "X86Guest",
        .product(name: "SystemPackage", package: "swift-system"),
      ], path: "Examples/Compositions", exclude: ["output.txt"], swiftSettings: strict),

    // Tests; `SharedData` finds the recorded images and cases.
    .target(
      name: "SharedData", dependencies: ["Notation", "TestSupport"], path: "Tests/SharedData",
      swiftSettings: strict),
    .testTarget(
      name: "GuestImageTests",
      dependencies: [
        "GuestImage", "Notation", "Paging", "SharedData", "TestSupport", "X86",
        .product(name: "SystemPackage", package: "swift-system"),
      ], swiftSettings: strict),
    .testTarget(
      name: "ReportTests", dependencies: ["Notation", "Paging", "Report", "X86", "X86Guest"],
      swiftSettings: strict),
    .testTarget(
      name: "AccessCaseTests",
      dependencies: [
        "AccessCases", "Paging", "RealCPU", "Report", "SharedData", "TestSupport", "X86",
      ], swiftSettings: strict),
    .testTarget(
      name: "ScenarioTests",
      dependencies: [
        "Scenario", "Machine", "MachineSupport", "MMU", "Notation", "Report", "SharedData",
        "TestSupport", "Paging", "X86", "X86EPT", "X86Guest",
        .product(name: "SystemPackage", package: "swift-system"),
      ], swiftSettings: strict),
    .testTarget(
      name: "DoctorTests",
      dependencies: [
        "Explain", "GuestImage", "Inspection", "Paging", "TestSupport", "X86", "X86EPT",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "ComposeMachine", "Compositions", "GuestImage", "MMUCommand", "Notation", "Paging",
        "PluginHost", "SharedData", "TestSupport", "WalkImage",
        .product(name: "SystemPackage", package: "swift-system"),
      ], swiftSettings: strict),

    // What the tests share: a memory that fails on demand, seeded numbers, the literal walk.
    .target(
      name: "TestSupport", dependencies: ["Notation", "Paging"], path: "Tests/TestSupport",
      swiftSettings: strict),
    .testTarget(
      name: "WalkTests",
      dependencies: [
        "Explain", "Paging", "Report", "X86", "X86Legacy32", "X86PAE", "X86Long", "X86Guest",
        "TestSupport",
      ], swiftSettings: strict),
    .target(
      name: "MachineSupport",
      dependencies: ["Paging", "X86", "X86Guest", "X86EPT", "MMU", "Machine", "TestSupport"],
      path: "Tests/MachineSupport", swiftSettings: strict),
    .testTarget(
      name: "EncodingTests",
      dependencies: [
        "Paging", "X86", "X86EPT", "X86Long", "X86NPT", "X86Shadow", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "MachineTests",
      dependencies: [
        "Paging", "X86", "X86Guest", "X86EPT", "MMU", "Machine", "MachineSupport", "TestSupport",
      ], swiftSettings: strict),
    // vCPU threads against whatever changes their tables: for the tests, optimised for `make property`
    // and under ThreadSanitizer for `make tsan`.
    .target(
      name: "ParallelProperty",
      dependencies: [
        "Paging", "X86", "X86Guest", "X86EPT", "X86NPT", "X86TDX", "MMU", "Machine",
        "MachineSupport", "TestSupport",
      ], path: "Tests/ParallelProperty", swiftSettings: strict),
    .executableTarget(
      name: "ParallelRunner", dependencies: ["ParallelProperty"], path: "Tests/ParallelRunner",
      exclude: ["threads.supp"], swiftSettings: strict),
    .testTarget(
      name: "SecondLevelTests",
      dependencies: [
        "Paging", "X86", "X86Guest", "X86EPT", "X86NPT", "X86TDX", "MMU", "Machine",
        "MachineSupport", "ParallelProperty", "TestSupport",
      ], swiftSettings: strict),
    // Random guests under shadow paging: for the tests, and optimised for `make property`.
    .target(
      name: "ShadowProperty",
      dependencies: [
        "MMU", "Machine", "Paging", "Scenario", "TestSupport", "X86", "X86Guest",
        .product(name: "SystemPackage", package: "swift-system"),
      ], path: "Tests/ShadowProperty", swiftSettings: strict),
    .executableTarget(
      name: "PropertyRunner", dependencies: ["ShadowProperty"], path: "Tests/PropertyRunner",
      swiftSettings: strict),
    .testTarget(
      name: "NestedTests",
      dependencies: [
        "Paging", "X86", "X86Guest", "X86EPT", "X86NPT", "MMU", "Machine", "MachineSupport",
        "TestSupport",
      ], swiftSettings: strict),
    .testTarget(
      name: "ScheduleTests",
      dependencies: ["MMU", "Machine", "Paging", "Schedules", "X86EPT"], swiftSettings: strict),
    .testTarget(
      name: "ForecastTests",
      dependencies: [
        "Forecast", "GuestImage", "MMU", "Machine", "MachineSupport", "Paging", "Report",
        "Scenario",
        "TestSupport", "X86", "X86EPT", "X86Guest",
      ], swiftSettings: strict),
    .testTarget(
      name: "ShadowTests",
      dependencies: [
        "ShadowProperty",
        "Paging", "X86", "X86Guest", "X86Long", "X86Shadow", "MMU", "Machine", "Scenario",
        "GuestImage", "MachineSupport", "TestSupport", "SharedData",
        .product(name: "SystemPackage", package: "swift-system"),
      ], swiftSettings: strict),
    .testTarget(
      name: "TableTests",
      dependencies: [
        "Paging", "X86", "X86EPT", "X86Legacy32", "X86Long", "X86PAE", "TestSupport",
      ], swiftSettings: strict),
    .testTarget(
      name: "InspectionTests",
      dependencies: [
        "GuestImage", "Inspection", "Notation", "Paging", "SharedData", "TestSupport", "X86",
        .product(name: "SystemPackage", package: "swift-system"),
      ], swiftSettings: strict),
    .testTarget(
      name: "StructureTests", dependencies: ["TestSupport"], swiftSettings: strict),

    // What `make bench` runs. The C twin alone is tuned to the machine; the Swift side is built as a
    // user of the package gets it.
    .target(
      name: "CBenchTwin", dependencies: ["CFFI"],
      cSettings: [.unsafeFlags(["-std=c11", "-O3", "-march=native", "-Wall", "-Wextra"])]),
    .target(
      name: "MMUBench",
      dependencies: [
        "CBenchTwin", "CPrefetch", "GuestImage", "Inspection", "MMU", "Machine", "Paging",
        "PluginHost", "RealCPU", "Report", "X86", "X86EPT", "X86Guest", "X86Long", "X86PAE",
        "X86Shadow", "CKVM", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    // Replaces malloc in test programs, to count what hot paths allocate.
    .target(name: "CAllocationCount", path: "Tests/CAllocationCount"),
    .testTarget(
      name: "MMUBenchTests",
      dependencies: [
        "CAllocationCount", "CBenchTwin", "MMU", "MMUBench", "Machine", "Paging", "PluginHost",
        "X86", "X86Guest",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "PluginTests", dependencies: ["Paging", "PluginHost", "X86EPT", "X86NPT"],
      swiftSettings: strict),
  ]
)
