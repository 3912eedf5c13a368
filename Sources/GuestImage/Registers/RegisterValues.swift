import FoundationEssentials
import Notation
public import SystemPackage
public import X86

/// Registers as somebody says them: flags of a command, or a sidecar. Each may be left unsaid.
public struct RegisterValues: Hashable, Sendable {
  /// The paging mode.
  public var mode: X86Mode?
  /// CR0.
  public var cr0: UInt64?
  /// CR3.
  public var cr3: UInt64?
  /// CR4.
  public var cr4: UInt64?
  /// IA32_EFER.
  public var efer: UInt64?
  /// MAXPHYADDR. **Units** bits, 32...52.
  public var physicalAddressWidth: Int?
  /// Who made the processor.
  public var vendor: X86Features.Vendor?

  /// Nothing said.
  public init() {}
}

extension RegisterValues: Decodable {
  private enum CodingKeys: String, CodingKey {
    case mode, cr0, cr3, cr4, efer, maxphyaddr, vendor
  }

  /// Decodes a sidecar: numbers are hex strings or integers, other keys are passed over.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    if let name = try container.decodeIfPresent(String.self, forKey: .mode) {
      guard let mode = X86Mode(rawValue: name) else {
        throw DecodingError.dataCorruptedError(
          forKey: .mode, in: container,
          debugDescription: "'\(name.prefix(40))' is not a mode"
            + " (none, legacy32, pae, long4 or long5)")
      }
      self.mode = mode
    }
    if let name = try container.decodeIfPresent(String.self, forKey: .vendor) {
      guard let vendor = X86Features.Vendor(name) else {
        throw DecodingError.dataCorruptedError(
          forKey: .vendor, in: container,
          debugDescription: "'\(name.prefix(40))' is not a vendor (intel or amd)")
      }
      self.vendor = vendor
    }
    cr0 = try container.integerIfPresent(.cr0)
    cr3 = try container.integerIfPresent(.cr3)
    cr4 = try container.integerIfPresent(.cr4)
    efer = try container.integerIfPresent(.efer)
    physicalAddressWidth = try container.integerIfPresent(.maxphyaddr, in: 32...52).map(Int.init)
  }
}

extension RegisterValues {
  /// The largest sidecar that is read. **Units** bytes.
  public static var largestFile: Int { 64 << 20 }

  /// Reads a sidecar.
  ///
  /// - Throws: `ImageError`: the file cannot be read, is too large, or is not what FORMATS says.
  public init(contentsOf path: FilePath) throws(ImageError) {
    let bytes = try ImageBytes(path)
    guard bytes.count <= Self.largestFile else {
      throw .badRegisters("the file has \(bytes.count) bytes (at most \(Self.largestFile))")
    }
    // SAFETY: `bytes` maps as many bytes and outlives the copy.
    let data = unsafe Data(bytes: bytes.start, count: bytes.count)
    do {
      self = try JSONInput.decode(RegisterValues.self, from: data)
    } catch {
      throw .badRegisters(error.description)
    }
  }

  /// Where the sidecar of an image is looked for: its name with the extension replaced by `.json`.
  public static func sidecar(of image: FilePath) -> FilePath {
    var path = image
    path.extension = "json"
    return path
  }
}
