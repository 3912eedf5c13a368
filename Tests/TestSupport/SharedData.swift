import Foundation

/// The data that lies beside the package and is not part of it.
package enum SharedData {
  /// The package's directory.
  package static var packageRoot: String {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/")
  }

  /// The bytes of a file under `../shared/data`, or `nil` where it is absent.
  package static func bytes(_ path: String) -> [UInt8]? {
    FileManager.default.contents(atPath: packageRoot + "/../shared/data/" + path).map(Array.init)
  }

  /// Whether a file under `../shared/data` is there.
  package static func has(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: packageRoot + "/../shared/data/" + path)
  }
}
