public import Paging

extension TDPMMU {
  /// What becomes of a violation on its way out of the guest: the processor makes it the guest's #VE
  /// where entry, vCPU and information area allow that (SPEC E15).
  ///
  /// **Source** Intel SDM Vol. 3C, "Virtualization Exceptions".
  @inlinable
  @inline(__always)  // PERF: access.tdpfault; few vCPUs have such an area.
  func delivered(
    _ exit: Exit, to guest: some TranslationRegime, on cpu: inout TDPContext
  ) -> Exit {
    cpu.exceptionArea == nil ? exit : converted(exit, to: guest, on: &cpu)
  }

  @usableFromInline
  func converted(
    _ exit: Exit, to guest: some TranslationRegime, on cpu: inout TDPContext
  ) -> Exit {
    cpu.lastException = nil
    guard let place = cpu.exceptionArea,
      let busy = host.view.readValue(
        place.wrappingAdd(VirtualizationExceptionArea.busyOffset), size: 4)
    else { return exit }
    let state = VirtualizationExceptionState(
      isEnabled: true, isProtectedMode: guest.takesSecondLevelExceptions,
      busyWord: UInt32(truncatingIfNeeded: busy))
    guard let (exception, area) = exit.converted(state) else { return exit }
    let bytes = area.bytes
    // SAFETY: bytes have no padding.
    guard unsafe host.view.write(bytes.span.bytes, at: place) else { return exit }
    cpu.lastException = area
    return exception
  }
}
