import ArgumentParser
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// `mmu plugin new`.
struct PluginNew: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new",
    abstract: "Writes a plugin to begin with: one folder, one command to build it.",
    discussion: """
      The plugin denies writes to a range that a setting gives. C and C++ need mmu_plugin.h, which
      'make install' puts where 'pkg-config --cflags mmu-plugin' says; the makefile asks it.

      Examples:
        mmu plugin new guard
        mmu plugin new guard --language rust
      """)

  /// What a plugin can be written in.
  enum Language: String, ExpressibleByArgument, CaseIterable {
    case c
    case cxx = "c++"
    case rust
  }

  @Argument(
    help: "Its name: a letter, then letters, digits and underscores; also the new folder's.")
  var name: String

  @Option(help: "c, c++ or rust.")
  var language = Language.c

  func validate() throws {
    let isLetter: (Character) -> Bool = { $0.isASCII && $0.isLetter }
    guard let first = name.first, isLetter(first), name.utf8.count <= 48,
      name.allSatisfy({ isLetter($0) || ($0.isASCII && $0.isNumber) || $0 == "_" })
    else {
      throw ValidationError(
        "'\(name.prefix(60))' is not a name (a letter, then letters, digits and '_'; at most 48)")
    }
  }

  func run() throws {
    let template = PluginTemplate(name: name, language: language)
    let folder = FilePath(name)
    do {
      try Self.makeFolder(folder)
      for (file, text) in template.files {
        let place = folder.appending(file)
        let descriptor = try FileDescriptor.open(
          place, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
          permissions: [.ownerReadWrite, .groupRead, .otherRead])
        try descriptor.closeAfter { _ = try descriptor.writeAll(text.utf8) }
      }
    } catch let error as Errno {
      throw FileFailure(name, "\(error)")
    }
    var output = StandardOutput()
    for (file, _) in template.files { try output.write("\(name)/\(file)") }
    try output.write("build it with: make -C \(name)")
    try output.write("try it with:   mmu plugin check \(name)/\(name).so")
    try output.flush()
  }

  private static func makeFolder(_ path: FilePath) throws(Errno) {
    let status = unsafe path.withPlatformString { unsafe mkdir($0, 0o777) }
    if status != 0 { throw Errno(rawValue: errno) }
  }
}
