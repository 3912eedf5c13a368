public import Paging

/// Where an address that a guest's tables name is at this moment, as tables between the guest and the
/// memslots and the memslots themselves say: nothing is judged or marked, and no page asked for.
public struct GuestPlace: Sendable, Hashable {
  /// The address as translations report it: in the memslots, for a trust domain with its shared bit.
  public var gpa: GPA
  /// The memslots' frame.
  public var frame: GFN
  /// The byte; `nil` where nothing is, or the page is still to come.
  public var hpa: HPA?
  /// Whether the slot may not be written.
  public var isReadOnly: Bool
  /// What the tables of a hypervisor inside the guest grant.
  public var permissions: Permissions
}

extension GuestMemory {
  /// Where an address of the memslots is, private memory by the frame's attribute.
  func place(of gpa: GPA, in space: AddressSpace) -> GuestPlace {
    var hint = 0
    let gfn = gpa.frame
    var place = GuestPlace(gpa: gpa, frame: gfn, hpa: nil, isReadOnly: false, permissions: .all)
    guard let slot = slots(of: space).slot(for: gfn, hint: &hint) else { return place }
    place.isReadOnly = slot.flags.contains(.readOnly)
    let isPrivate = attributes.isPrivate(gfn)
    if !isPrivate, let missing = slot.missing, missing.lacks(slot.offset(of: gfn)) { return place }
    place.hpa = slot.pfn(of: gfn, isPrivate: isPrivate).map {
      $0.baseAddress.wrappingAdd(gpa.offset(in: .size4KiB))
    }
    return place
  }
}

extension VirtualMMU {
  /// As the memslots of the vCPU's space say.
  public func place(
    of gpa: GPA, gva: GVA, on cpu: CPU, noting reading: TableReading
  ) -> GuestPlace? { memory.place(of: gpa, in: addressSpace(of: cpu)) }
}
