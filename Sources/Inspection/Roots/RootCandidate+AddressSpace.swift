public import GuestImage
import Paging
import X86

extension RootCandidate {
  /// The address space below the root: the registers it goes with, all features on.
  ///
  /// - Throws: `ImageError` where PAE's pointers are refused.
  public func addressSpace(
    in image: GuestImage, isStrict: Bool = false
  ) throws(ImageError) -> ImageAddressSpace {
    var values = RegisterValues()
    values.mode = mode
    values.cr3 = root.rawValue
    var resolved = try ImageRegisters(of: image, given: values)
    resolved.notes = []
    return try ImageAddressSpace(image, resolved, isStrict: isStrict)
  }
}
