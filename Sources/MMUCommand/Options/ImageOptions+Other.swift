import GuestImage
import SystemPackage
import X86

extension ImageOptions {
  /// The address space of another image: its own registers and sidecar, and of the flags only
  /// --mode, --maxphyaddr, --vendor, --strict and those of a guest inside the guest.
  func openAddressSpace(beside path: String, cr3: UInt64?) throws -> ImageAddressSpace {
    let space = try naming(path) { () throws(ImageError) in
      let image = try innermost(of: GuestImage(contentsOf: FilePath(path)))
      let sidecar = RegisterValues.sidecar(of: FilePath(path))
      let beside =
        sidecar != FilePath(path) && sidecar.exists
        ? try RegisterValues(contentsOf: sidecar) : RegisterValues()
      var values = RegisterValues()
      values.cr3 = cr3
      values.mode = given.mode
      values.physicalAddressWidth = given.physicalAddressWidth
      values.vendor = given.vendor
      let resolved = try ImageRegisters(of: image, given: values, sidecar: beside)
      return try ImageAddressSpace(image, resolved, isStrict: strict)
    }
    for note in space.notes { StandardError.write("mmu: note: \(path): \(note)") }
    return space
  }
}
