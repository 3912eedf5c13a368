import Notation
import Report
import X86

/// What a case says of its processor; each feature is there unless it is said not to be.
struct CaseProcessor: Decodable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case vendor, nx, pse, pse36, gbpages, la57, smep, smap, pcid, pku, pks, lam, lass, cet
  }

  private var said = X86Features()

  /// A processor that can do everything.
  init() {}

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    if let name = try container.decodeIfPresent(String.self, forKey: .vendor) {
      guard let vendor = X86Features.Vendor(name) else {
        throw DecodingError.dataCorruptedError(
          forKey: .vendor, in: container,
          debugDescription: "'\(name.prefix(40))' is not a vendor (intel or amd)")
      }
      said.vendor = vendor
    }
    for key in CodingKeys.allCases {
      guard let feature = Self.feature(key) else { continue }
      if let isThere = try container.flagIfPresent(key) { said[keyPath: feature] = isThere }
    }
  }

  /// The features, with a MAXPHYADDR in 32...52.
  func features(physicalAddressWidth: Int) -> X86Features {
    var features = said
    features.physicalAddressWidth = physicalAddressWidth
    return features
  }

  /// What to say of a processor so that it is read back; `nil` where it can do everything.
  static func differences(of features: X86Features) -> JSONLine? {
    var line = JSONLine()
    var isEmpty = true
    if features.vendor != X86Features().vendor {
      line.add(CodingKeys.vendor.rawValue, features.vendor.description)
      isEmpty = false
    }
    for key in CodingKeys.allCases {
      guard let feature = feature(key), !features[keyPath: feature] else { continue }
      line.add(key.rawValue, false)
      isEmpty = false
    }
    return isEmpty ? nil : line
  }

  private static func feature(_ key: CodingKeys) -> WritableKeyPath<X86Features, Bool>? {
    switch key {
    case .vendor: nil
    case .nx: \.nx
    case .pse: \.pse
    case .pse36: \.pse36
    case .gbpages: \.gigabytePages
    case .la57: \.la57
    case .smep: \.smep
    case .smap: \.smap
    case .pcid: \.pcid
    case .pku: \.pku
    case .pks: \.pks
    case .lam: \.lam
    case .lass: \.lass
    case .cet: \.shadowStacks
    }
  }
}
