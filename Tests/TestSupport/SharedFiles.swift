import Foundation

/// The data that lies beside the package and is not part of it.
package enum SharedFiles {
  /// The package's directory.
  package static var packageRoot: String {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/")
  }

  /// Where a file under `../shared/data` would be.
  package static func path(of name: String) -> String { packageRoot + "/../shared/data/" + name }

  /// The bytes of any file.
  package static func bytes(at path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path)))
  }

  /// The bytes of a file under `../shared/data`, or `nil` where it is absent.
  package static func bytes(_ path: String) -> [UInt8]? {
    FileManager.default.contents(atPath: Self.path(of: path)).map(Array.init)
  }

  /// Whether a file under `../shared/data` is there.
  package static func has(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: Self.path(of: path))
  }
}
