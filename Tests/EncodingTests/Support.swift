import Paging
import TestSupport
import X86EPT

typealias HostTestMemory = SparseMemory<HostPhysical>

extension EPTCapabilities {
  /// A processor with the given width and nothing else unusual.
  static func width(_ width: Int) -> EPTCapabilities {
    EPTCapabilities(physicalAddressWidth: width)
  }
}

/// Tables of four levels whose leaf entry at a level is given; walks address 0.
struct EPTPath {
  let memory = HostTestMemory()
  let format: EPTFormat
  let level: Int

  /// Tables of `upper` entries down to one entry at `level`.
  init(_ capabilities: EPTCapabilities, entry: UInt64, level: Int, upper: UInt64 = 7) {
    format = EPTFormat(capabilities)
    self.level = level
    for current in stride(from: capabilities.levels, to: level, by: -1) {
      memory.poke(UInt64(current) << 12, UInt64(current - 1) << 12 | upper)
    }
    memory.poke(UInt64(level) << 12, entry)
  }

  func walk<Strategy: WalkStrategy>(
    _ access: EPTAccess, _ strategy: Strategy
  ) -> Result<
    Translation<HostPhysical, EPTRights>, WalkFailure<EPTExit, HostTestMemory.Failure>
  > {
    Walker(format).walk(
      GPA(0), for: access, at: TableRoot(UInt64(format.capabilities.levels) << 12), in: memory,
      strategy)
  }

  /// The exit of a data access, `nil` where it is let through.
  func exit(_ kind: AccessKind) -> EPTExit? {
    let access = format.finalAccess(kind, isUser: false, for: GVA(0x123))
    if case .failure(.fault(let exit)) = walk(access, Judge()) { return exit }
    return nil
  }
}

/// The error of a closure that must throw `LayoutError`.
func layoutError<T>(_ body: () throws(LayoutError) -> T) -> LayoutError? {
  do throws(LayoutError) {
    _ = try body()
    return nil
  } catch {
    return error
  }
}
