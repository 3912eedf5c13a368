import Foundation

/// Pages that zlib itself compressed.
enum CompressedPage {
  /// With codes of its own, some longer than nine bits.
  static var dynamic: [UInt8] { bytes(dynamicText) }
  /// What `dynamic` is.
  static let pattern = (0..<4096).map { index in
    let base = (index * 7 + (index >> 5) * 13) & 0x1F
    return UInt8((base + (index % 97 == 0 ? 0x80 : 0) + (index >> 9 & 3) * 8) & 0xFF)
  }

  /// With copies that reach far back.
  static var repeated: [UInt8] { bytes(repeatedText) }
  /// What `repeated` is.
  static let sentence = (0..<88).flatMap { _ in
    Array("page tables of a guest, page tables of a host; ".utf8)
  }[..<4096]

  private static func bytes(_ text: String) -> [UInt8] {
    [UInt8](Data(base64Encoded: text) ?? Data())
  }

  private static let dynamicText = """
    eNq1lctOAjEYRgEVELlfZBwQBARhRMEL8nrGhQtCDAtMwCALTCCRjSb6fraotMO08y1ot+fLf6bJLM59IJrJ74QSRtEf\
    Sed8+/FsYS+cMr3B2OHx7kHySAg97EgIuaPAk6veA/QRoDejmYmbPgD0aaD3Ethz0UeBPgf0QQpHcn0G6H1AH1vBR/lf\
    NIo1MpbpWCVjiY6nZDw5I2MllBBC7ugXTuyQOwJ6A+irf7An0SeBvgj04X84kjwU6GtAn1rDudgE9BGgNxkcCk1An6Zj\
    k4z1FhnP6XhJRouOF+QzDQ6+ryF3ZIkgdwT0cR6OBCagt4A+a4NzpwnoE0BfsMOhwwT0BtBXN+Bs0wT0RaBv1lt3ZLym\
    Y4eMV/Qf3JKx3SXjjVlaQWMDckdCyB054NxuAvoO0Jed8MtmAvo80DcEcMabgL4C9G0R/OCOgN4C+q4QTtmRR0v/h6z/\
    US39f2D9z2vp/4D1P6Sl/1PWf0NL//us/34t/Z+x/ue19H/A+h/S0v8p67+hpf/9FNBv2/8XoN+6/6/Scijq/9JVr6D/\
    Yze9iv4vXPRK+v8s16vp/1IUCZX9H8v0qvq/kOiV9f9b8lBl/X8Tm9T1/1No+gGeMs2Q
    """
  private static let repeatedText = """
    eNrtyrENwCAMRcFV/gDZgGkcyUCBBJKd/enJAhSvPd2y5kp7h4dmlal9Hvlond5nZPkznU6n0+l0Op1Op9Pp9Pv7Bi+q\
    gM0=
    """
}
