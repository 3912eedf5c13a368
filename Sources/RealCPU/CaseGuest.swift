#if os(Linux) && arch(x86_64)
import AccessCases
import CKVM
import Paging
import X86

/// A guest that makes the access of one case after the other on the CPU, all with one
/// MAXPHYADDR and vendor.
final class CaseGuest {
  private let machine: KVMMachine
  private let pages: KVMPages
  /// The registers that no case says, as they are after reset.
  private let reset: kvm_sregs
  /// Frames outside RAM that have a slot now, and where they lie in `pages`.
  private var far: [UInt64: Int] = [:]

  /// The most frames outside RAM. **Units** pages.
  private static let mostFar = 16

  init(telling features: X86Features) throws(KVMError) {
    machine = try KVMMachine(telling: features)
    pages = try KVMPages(byteCount: CaseLayout.ramSize + Self.mostFar << 12)
    guard let reset = machine.specialRegisters else { throw KVMError("no registers") }
    self.reset = reset
  }

  /// Makes the access.
  ///
  /// - Parameter target: the frame that it should lead to, which gets memory besides the tables.
  func run(_ access: AccessCase, target: GPA?) -> CPUVerdict {
    let levels = access.mode == .long5 ? 5 : 4
    let tables = Set(access.memory.keys.map { $0 & ~0xFFF })
      .union([access.registers.cr3 & access.features.physicalAddressMask & ~0xFFF])
    if let target, tables.contains(target.rawValue & ~0xFFF) {
      return .leftOut("the page is one of its own tables")
    }
    guard let layout = CaseLayout(access, levels: levels, avoiding: target) else {
      return .leftOut("no room beside its tables")
    }
    var frames = tables.union(layout.tables.map(\.rawValue))
      .union(CaseLayout.Page.allCases.map { layout.frame(of: $0).rawValue })
    if let target { frames.insert(target.rawValue & ~0xFFF) }
    guard place(frames) else { return .leftOut("KVM takes no memory there") }
    defer { forget(frames) }
    let program = fill(layout, access, target)
    guard machine.set(specialRegisters(access, layout)) else {
      return .leftOut("KVM refuses the registers")
    }
    guard machine.set(registers(access, layout)) else {
      return .leftOut("KVM refuses RIP or RFLAGS")
    }
    let exit = machine.run()
    guard let after = machine.registers, let special = machine.specialRegisters else {
      return .leftOut("KVM does not tell the registers")
    }
    let result: AccessOutcome.Result
    switch exit {
    case .memory(let gpa): result = .granted(gpa, pageSize: 0)
    case .halted:
      guard let found = found(access, layout, program, target, after, cr2: special.cr2) else {
        return .leftOut("the guest halted at RIP 0x\(String(after.rip, radix: 16))")
      }
      result = found
    case .shutdown: return .leftOut("the CPU shut down")
    case .timeout: return .leftOut("the guest did not come back")
    case .other(let reason): return .leftOut("exit reason \(reason)")
    }
    return .outcome(
      AccessOutcome(result, changed: changed(tables, access, besides: layout.rootEntry)))
  }

  /// Gives every frame memory; what KVM derived from earlier contents is forgotten.
  private func place(_ frames: Set<UInt64>) -> Bool {
    let outside = frames.filter { $0 >= CaseLayout.ramSize }.sorted()
    guard outside.count <= Self.mostFar,
      machine.setMemory(slot: 0, at: GPA(0), to: pages, byteCount: CaseLayout.ramSize)
    else { return false }
    for (index, frame) in outside.enumerated() {
      let offset = CaseLayout.ramSize + index << 12
      guard
        machine.setMemory(
          slot: UInt32(index + 1), at: GPA(frame), to: pages, from: offset, byteCount: 4096)
      else { return false }
      far[frame] = offset
    }
    return true
  }

  private func forget(_ frames: Set<UInt64>) {
    for frame in frames { if let offset = offset(of: GPA(frame)) { pages.clear(page: offset) } }
    for index in 0..<far.count { machine.removeMemory(slot: UInt32(index + 1)) }
    far = [:]
  }

  /// Where a byte of the guest's memory lies.
  private func offset(of gpa: GPA) -> Int? {
    if gpa.rawValue < CaseLayout.ramSize { return Int(gpa.rawValue) }
    return far[gpa.rawValue & ~0xFFF].map { $0 + Int(gpa.rawValue & 0xFFF) }
  }

  private func set(_ word: UInt64, at gpa: GPA) {
    if let offset = offset(of: gpa) { pages.set(word, at: offset) }
  }

  /// Writes tables, code and the byte that is accessed.
  private func fill(
    _ layout: CaseLayout, _ access: AccessCase, _ target: GPA?
  ) -> CaseProgram {
    for (address, entry) in access.memory { set(entry, at: GPA(address)) }
    for (place, entry) in layout.entries { set(entry, at: place) }
    // Code and data of both privileges, marked as accessed.
    let segments: [UInt64] = [
      0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00AF_FB00_0000_FFFF,
      0x00CF_F300_0000_FFFF,
    ]
    for (index, segment) in segments.enumerated() {
      set(segment, at: layout.frame(of: .segments).wrappingAdd(UInt64(index) * 8))
    }
    for vector in 0..<32 as Range<UInt64> {
      let handler =
        layout.address(of: .kernelCode) + vector * UInt64(CaseProgram.handlerSize)
      let gate = layout.frame(of: .interrupts).wrappingAdd(vector * 16)
      // An interrupt gate on stack 1 of the task.
      set(
        handler & 0xFFFF | 8 << 16 | 1 << 32 | 0x8E << 40 | (handler >> 16 & 0xFFFF) << 48, at: gate
      )
      set(handler >> 32, at: gate.wrappingAdd(8))
    }
    let top = layout.address(of: .stack) + 4096
    let stack1 = layout.frame(of: .task).wrappingAdd(36)
    if let offset = offset(of: stack1) { pages.set(top, at: offset) }
    let program = CaseProgram(
      access.access,
      keys: access.registers.cr4.contains(.userProtectionKeys) ? access.registers.pkru : nil)
    if let kernel = offset(of: layout.frame(of: .kernelCode)) {
      pages.set(CaseProgram.handlers, at: kernel)
      pages.set(program.code, at: kernel + CaseProgram.kernelStart)
    }
    if let user = offset(of: layout.frame(of: .userCode)) { pages.set(program.code, at: user) }
    if let target, let offset = offset(of: target) {
      pages[offset] = access.access.kind == .fetch ? CaseProgram.halt : CaseProgram.found
    }
    return program
  }

  private func specialRegisters(_ access: AccessCase, _ layout: CaseLayout) -> kvm_sregs {
    var registers = reset
    let privilege: UInt8 = access.access.isUser ? 3 : 0
    var segment = kvm_segment()
    segment.limit = 0xFFFF_FFFF
    segment.present = 1
    segment.s = 1
    segment.g = 1
    segment.dpl = privilege
    segment.type = 11
    segment.l = 1
    segment.selector = access.access.isUser ? 0x1B : 0x08
    registers.cs = segment
    segment.type = 3
    segment.l = 0
    segment.db = 1
    segment.selector = access.access.isUser ? 0x23 : 0x10
    (registers.ss, registers.ds, registers.es) = (segment, segment, segment)
    (registers.fs, registers.gs) = (segment, segment)
    var task = kvm_segment()
    task.base = layout.address(of: .task)
    task.limit = 103
    task.present = 1
    task.type = 11
    task.selector = 0x28
    registers.tr = task
    registers.gdt.base = layout.address(of: .segments)
    registers.gdt.limit = 39
    registers.idt.base = layout.address(of: .interrupts)
    registers.idt.limit = 511
    registers.cr0 = access.registers.cr0.rawValue
    registers.cr2 = 0
    registers.cr3 = access.registers.cr3
    registers.cr4 = access.registers.cr4.rawValue
    registers.efer = access.registers.efer.rawValue
    return registers
  }

  private func registers(_ access: AccessCase, _ layout: CaseLayout) -> kvm_regs {
    var registers = kvm_regs()
    registers.rip = start(access, layout)
    registers.rbx = access.address.rawValue
    registers.rsp =
      access.access.isStack ? access.address.rawValue : layout.address(of: .stack) + 2048
    registers.rflags = 2 | (access.access.alignmentCheck ? 1 << 18 : 0)
    return registers
  }

  private func start(_ access: AccessCase, _ layout: CaseLayout) -> UInt64 {
    access.access.isUser
      ? layout.address(of: .userCode)
      : layout.address(of: .kernelCode) + UInt64(CaseProgram.kernelStart)
  }

  /// What a guest that halted has seen; `nil` where it halted anywhere else.
  private func found(
    _ access: AccessCase, _ layout: CaseLayout, _ program: CaseProgram, _ target: GPA?,
    _ after: kvm_regs, cr2: UInt64
  ) -> AccessOutcome.Result? {
    let halted = after.rip &- 1
    let end = start(access, layout) + UInt64(program.end)
    let goal = access.access.kind == .fetch ? access.address.rawValue : end
    let isDone = { (place: UInt64) in place == goal }
    if isDone(halted) { return granted(access, target, after) }
    let distance = halted &- layout.address(of: .kernelCode)
    guard distance < 32 * UInt64(CaseProgram.handlerSize),
      distance % UInt64(CaseProgram.handlerSize) == 0
    else { return nil }
    let vector = distance / UInt64(CaseProgram.handlerSize)
    let depth = after.rsp &- layout.address(of: .stack)
    guard depth <= 4096 - 48, let stack = offset(of: layout.frame(of: .stack)) else { return nil }
    let hasCode = CaseProgram.hasErrorCode(vector)
    let code = hasCode ? pages.word(at: stack + Int(depth)) : 0
    let interrupted = pages.word(at: stack + Int(depth) + (hasCode ? 8 : 0))
    // HLT in user mode is #GP(0): the access itself went through.
    if access.access.isUser, vector == X86Fault.generalProtectionVector, code == 0,
      isDone(interrupted), isCanonical(access)
    {
      return granted(access, target, after)
    }
    if vector == X86Fault.pageFaultVector, cr2 != access.address.rawValue { return nil }
    return .refused(vector: UInt8(vector), errorCode: UInt32(truncatingIfNeeded: code))
  }

  private func isCanonical(_ access: AccessCase) -> Bool {
    let width = access.mode == .long5 ? 57 : 48
    let high = Int64(bitPattern: access.address.rawValue) >> (width - 1)
    return high == 0 || high == -1
  }

  /// The access went through: to the byte that was meant, or to another one.
  private func granted(
    _ access: AccessCase, _ target: GPA?, _ after: kvm_regs
  ) -> AccessOutcome.Result {
    guard let target, let offset = offset(of: target) else {
      return .granted(GPA(.max), pageSize: 0)
    }
    let isThere =
      switch access.access.kind {
      case .read: UInt8(truncatingIfNeeded: after.rax) == CaseProgram.found
      case .write: pages[offset] == CaseProgram.written
      case .fetch: true
      }
    return .granted(isThere ? target : GPA(.max), pageSize: 0)
  }

  /// The entries that the processor changed in the case's own tables.
  private func changed(
    _ tables: Set<UInt64>, _ access: AccessCase, besides own: GPA
  ) -> [UInt64: UInt64] {
    var changed: [UInt64: UInt64] = [:]
    for table in tables {
      guard let page = offset(of: GPA(table)) else { continue }
      for entry in stride(from: 0, to: 4096, by: 8) {
        let address = table + UInt64(entry)
        if address == own.rawValue { continue }
        let value = pages.word(at: page + entry)
        if value != access.memory[address] ?? 0 { changed[address] = value }
      }
    }
    return changed
  }
}
#endif
