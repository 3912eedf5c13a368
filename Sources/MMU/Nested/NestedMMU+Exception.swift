public import Paging

extension NestedMMU {
  /// Keeps where the area is.
  public func takeExceptions(in area: GPA?, on cpu: inout CPU) { cpu.exceptionArea = area }

  /// What the vCPU keeps of it.
  public func exceptionInformation(of cpu: CPU) -> VirtualizationExceptionArea? {
    cpu.lastException
  }

  /// What the processor would do by itself if it walked the hypervisor's tables: it writes the area and
  /// raises #VE where the entry, the vCPU and the area's busy word allow that (SPEC E15, F15).
  ///
  /// **Source** Intel SDM Vol. 3C, "Virtualization Exceptions".
  public func exception(
    insteadOf exit: ReflectedExit, in guest: some TranslationRegime, on cpu: inout CPU
  ) -> VirtualizationExceptionArea? {
    cpu.lastException = nil
    let view = memory.view
    guard exit.isConvertible, let place = cpu.exceptionArea, guest.takesSecondLevelExceptions,
      case .success(0) = view.load(
        place.wrappingAdd(VirtualizationExceptionArea.busyOffset), as: UInt32.self)
    else { return nil }
    let area = VirtualizationExceptionArea(
      qualification: exit.information, gva: exit.gva?.rawValue ?? 0, gpa: exit.gpa.rawValue,
      eptpIndex: 0)
    let bytes = area.bytes
    // SAFETY: bytes have no padding.
    guard unsafe view.write(bytes.span.bytes, at: place) == bytes.count else { return nil }
    cpu.lastException = area
    return area
  }
}
