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
    .library(name: "PluginHost", targets: ["PluginHost"]),
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

    .systemLibrary(name: "CELF"),

    // Plugins: the public C header, libffi, and the host that loads and calls them.
    .systemLibrary(name: "CMMUPlugin", path: "Plugins/include"),
    .systemLibrary(
      name: "CFFI", path: "Sources/CFFI", pkgConfig: "libffi",
      providers: [.apt(["libffi-dev"]), .brew(["libffi"])]),
    .target(
      name: "PluginHost", dependencies: ["Paging", "CELF", "CFFI", "CMMUPlugin"],
      swiftSettings: strict),
    .testTarget(
      name: "PluginTests", dependencies: ["Paging", "PluginHost"], swiftSettings: strict),
  ]
)
