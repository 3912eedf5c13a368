public import Paging

/// How an image file is laid out.
public enum ImageFormat: Hashable, Sendable {
  /// An ELF core of 32 or 64 bits whose segments are placed by physical address.
  case elfCore
  /// A LiME capture.
  case lime
  /// A compressed capture of AVML.
  case avml
  /// A kdump-compressed file of makedumpfile or QEMU, flattened or not.
  case kdump
  /// Nothing but bytes; the first is at the given GPA.
  case raw(base: GPA)

  /// The format that the first bytes of a file tell: raw at 0 where no magic is known.
  static func told(by bytes: borrowing ImageBytes) -> ImageFormat {
    if bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) { return .elfCore }
    if bytes.starts(with: LiME.magic) { return .lime }
    if bytes.starts(with: AVML.magic) { return .avml }
    if bytes.starts(with: Kdump.magic) || bytes.starts(with: FlattenedFile.magic) { return .kdump }
    return .raw(base: GPA(0))
  }
}

extension ImageFormat: CustomStringConvertible {
  /// `ELF core`, `LiME`, `AVML`, `kdump` or `raw`.
  public var description: String {
    switch self {
    case .elfCore: "ELF core"
    case .lime: "LiME"
    case .avml: "AVML"
    case .kdump: "kdump"
    case .raw: "raw"
    }
  }
}
