public import Notation
import TestSupport

/// The recorded images and cases that lie beside the project, where they do.
public enum SharedData {
  /// The folder of a kind of data, or `nil` where it is not there.
  public static func folder(_ name: String) -> String? {
    SharedFiles.has(name) ? SharedFiles.path(of: name) : nil
  }

  /// The images' folder.
  public static var images: String? { folder("images") }
  /// The access cases' folder.
  public static var cases: String? { folder("cases") }

  /// The four real guests, one of each mode.
  public static var guests: [String] { ["linux64", "linux57", "linux32pae", "linux32"] }

  /// The bytes of a file.
  public static func bytes(_ path: String) throws -> [UInt8] { try SharedFiles.bytes(at: path) }
}

/// What is known of an image.
public struct Manifest: Decodable, Sendable {
  /// The mode's name.
  public let mode: String
  /// CR0 and so on.
  public let cr0, cr3, cr4, efer, maxphyaddr: JSONInteger
  /// Addresses and where they lead.
  public let samples: [Sample]

  /// One address and where it leads.
  public struct Sample: Decodable, Sendable {
    /// The address.
    public let va: JSONInteger
    /// Where QEMU says that it leads.
    public let pa: JSONInteger?
    /// The size of its page.
    public let pageSize: JSONInteger?
    /// Four characters.
    public let perms: String?
    /// `notpresent@LEVEL` or `noncanonical`.
    public let why: String?

    /// What `why` says, as the tools say it.
    public var reason: (text: String, level: Int?) {
      let parts = (why ?? "").split(separator: "@")
      guard parts.first == "notpresent", parts.count == 2 else { return ("non-canonical", nil) }
      return ("not present", Int(parts[1]))
    }
  }

  /// The manifest of an image.
  public static func read(_ name: String, in folder: String) throws -> Manifest {
    try JSONInput.decode(Manifest.self, from: SharedData.bytes("\(folder)/\(name).json"))
  }
}
