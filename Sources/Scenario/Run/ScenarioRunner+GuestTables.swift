import MMU
import Paging
import Report
import X86
import X86Guest
import X86TDX

extension ScenarioRunner {
  /// Guest memory as the guest's software sees it, where that differs from what the host sees.
  private var ownView: OwnMemoryView? {
    guard let mmu = machine.privateMemory,
      machine.domain != nil || scenario.machine.memory.contains(where: \.isPrivate)
    else { return nil }
    return OwnMemoryView(mmu)
  }

  /// The first byte that a step would write though the guest keeps it from the host.
  func hiddenByte(of poke: PokeAction) -> GPA? {
    guard let mmu = machine.privateMemory else { return nil }
    let memory = machine.memory
    for offset in stride(from: 0, to: max(UInt64(poke.bytes.count), 1), by: 4096) {
      let last = UInt64(max(poke.bytes.count, 1) - 1)
      for gpa in [poke.gpa.wrappingAdd(offset), poke.gpa.wrappingAdd(last)]
      where memory.attributes.isPrivate(gpa.frame)
        && mmu.ownAddress(gpa, for: .write) != memory.hpa(of: gpa)
      {
        return gpa
      }
    }
    return nil
  }

  /// Builds guest tables, as the guest's own software would.
  func perform(_ action: MapAction, _ result: inout StepResult) {
    if let place = action.tablesAt { layout.tableCursor = place }
    let regime = machine.processor(action.vcpu).regime
    let is32Bit = regime.mode == .legacy32 || regime.mode == .pae
    if is32Bit, action.va.rawValue + action.byteCount > 1 << 32 {
      result.problem = "\(action.va) and \(action.byteCount.hex) bytes pass 4 GiB"
      return
    }
    // An entry of four bytes holds no more.
    let isNarrow = regime.mode == .legacy32
    if isNarrow, action.gpa.rawValue + action.byteCount > 1 << 32 {
      result.problem = "\(action.gpa) and \(action.byteCount.hex) bytes pass 4 GiB"
      return
    }
    let limit: UInt64 = isNarrow ? 1 << 32 : .max
    do {
      if let view = ownView {
        try regime.map(
          action.va, to: action.gpa, length: action.byteCount, pageSize: action.pageSize,
          permissions: action.permissions, in: view,
          takeTable: {
            nextTable(below: limit) { page in
              let zeros = [UInt8](repeating: 0, count: 4096)
              return unsafe view.write(zeros.span.bytes, at: page) == 4096
            }
          })
      } else {
        try machine.map(action) {
          nextTable(below: limit) { machine.clear($0, vcpu: action.vcpu) }
        }
      }
      result.isDone = true
    } catch {
      result.problem = words(error)
    }
  }

  /// The next page for a table, where it could be filled with zeros.
  func nextTable(below limit: UInt64, clear: (GPA) -> Bool) -> GPA? {
    guard let page = layout.tableCursor, page.rawValue < limit, clear(page) else { return nil }
    layout.tableCursor = page.adding(4096)
    return page
  }

  /// Why tables could not be built.
  func words(_ error: TableEditError) -> String {
    guard case .noTablePages = error else { return "\(error)" }
    return layout.tableCursor.map { "no memory for a table at GPA \($0)" + stateInWords($0) }
      ?? "tables are missing: say where new ones go by 'tables-at'"
  }

  /// Why the guest has no memory of its own at a private address.
  private func stateInWords(_ gpa: GPA) -> String {
    guard let domain = machine.domain, machine.memory.attributes.isPrivate(gpa.frame) else {
      return ""
    }
    return " (private, \(domain.module.entry(gpa.frame, .pageTable).state.rawValue))"
  }

  /// The entries of the guest's tables for an address, without side effects.
  func guestWalk(_ va: GVA, vcpu: Int) -> [WalkStep] {
    if nesting != nil { return machine.walk(va, vcpu: vcpu) }
    var recording = Recording(Probe())
    let processor = machine.processor(vcpu)
    if let view = ownView {
      _ = processor.translate(va, for: .read, in: view, &recording)
    } else {
      _ = processor.translate(va, for: .read, in: machine.memory.presentView, &recording)
    }
    return recording.steps
  }
}
