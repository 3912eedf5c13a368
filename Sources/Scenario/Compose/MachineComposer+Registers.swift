import GuestImage
import MMU
import Paging
import SystemPackage
import X86
import X86Guest

extension MachineComposer {
  /// The guest's registers and the processor's features.
  ///
  /// A mode named in the file starts with empty tables at CR3, by default 0x1000; an image brings its
  /// own. What the file's `registers` say wins.
  func registers(
    _ images: [String: GuestImage], _ notes: inout [String]
  ) throws(ScenarioError) -> (registers: X86Registers, features: X86Features) {
    var registers: X86Registers
    var features: X86Features
    switch spec.guest {
    case .mode(let mode):
      registers = X86Registers(mode, cr3: 0x1000)
      let usual = spec.mmu == .tdx ? 48 : 40
      features = X86Features(physicalAddressWidth: spec.physicalAddressWidth ?? usual)
    case .fromImage:
      let resolved = try imageRegisters(images)
      registers = resolved.registers
      features = resolved.features
      notes += resolved.notes
      if let width = spec.physicalAddressWidth { features.physicalAddressWidth = width }
    }
    if let names = spec.features { features.restrict(to: names) }
    if case .mode(let mode) = spec.guest, mode != .none { registers.enable(features, mode) }
    if let given = spec.registers {
      if let cr0 = given.cr0 { registers.cr0 = CR0(rawValue: cr0) }
      if let cr3 = given.cr3 { registers.cr3 = cr3 }
      if let cr4 = given.cr4 { registers.cr4 = CR4(rawValue: cr4) }
      if let efer = given.efer { registers.efer = EFER(rawValue: efer) }
      if let pkru = given.pkru { registers.pkru = pkru }
    }
    try check(registers, features)
    return (registers, features)
  }

  /// The line that registers are to be mended at.
  var registersLine: Int { spec.registers?.line ?? spec.line }

  /// Refuses registers that no processor would run a guest with.
  private func check(
    _ registers: X86Registers, _ features: X86Features
  ) throws(ScenarioError) {
    let mode = registers.mode
    if case .mode(let wanted) = spec.guest, mode != wanted {
      throw error(
        "the registers select the mode \(mode.rawValue), the guest is \(wanted.rawValue)",
        line: registersLine)
    }
    if mode == .long5, !features.la57 {
      throw error("five-level paging needs the feature la57", line: registersLine)
    }
    let isLong = mode == .long4 || mode == .long5
    // LAM_U57 and LAM_U48 are bits 61 and 62.
    let allowed: UInt64 =
      isLong ? features.physicalAddressMask | (features.lam ? 3 << 61 : 0) : 0xFFFF_FFFF
    guard registers.cr3 & ~allowed == 0 else {
      throw error(
        "cr3 has reserved bits 0x\(String(registers.cr3 & ~allowed, radix: 16))",
        line: registersLine)
    }
    if isLong, !registers.efer.contains(.longModeEnable) {
      throw error("EFER.LMA is set without EFER.LME", line: registersLine)
    }
  }

  private func imageRegisters(
    _ images: [String: GuestImage]
  ) throws(ScenarioError) -> ImageRegisters {
    for region in spec.memory {
      guard case .image(let name) = region.content, let image = images[name] else { continue }
      let sidecar = RegisterValues.sidecar(of: folder.pushing(FilePath(name)))
      do {
        // A sidecar that is not there says nothing.
        let said =
          sidecar.isReadableFile ? try RegisterValues(contentsOf: sidecar) : RegisterValues()
        return try ImageRegisters(of: image, sidecar: said)
      } catch {
        throw self.error("\(name): \(error)", line: region.line)
      }
    }
    throw error("'guest: from-image' needs a memory entry with an image", line: spec.line)
  }

  /// Gives PAE its four directories, in the pages after CR3's: without them there is no table that
  /// `map` could fill.
  func prepareEmptyTables(
    _ resolved: (registers: X86Registers, features: X86Features), in memory: GuestMemory
  ) throws(ScenarioError) {
    guard case .mode(.pae) = spec.guest else { return }
    let base = resolved.registers.cr3 & 0xFFFF_FFE0
    for index in 0..<4 as Range<UInt64> {
      let entry = GPA(base + index * 8)
      let directory = (base & ~0xFFF) + (index + 1) << 12
      switch memory.view.compareExchange(entry, expected: 0, desired: directory | 1 as UInt64) {
      case .success: continue
      case .failure: throw error("no memory holds the PDPTEs at \(entry)", line: registersLine)
      }
    }
  }
}

extension X86Processor {
  /// The processor of a guest inside the guest, as its mode needs it.
  init(nested: MachineSpec.Nested, _ features: X86Features) {
    var registers = X86Registers(nested.mode, cr3: nested.cr3)
    if nested.mode != .none { registers.enable(features, nested.mode) }
    self.init(registers, features)
  }
}

extension X86Registers {
  /// Turns on in CR4 and EFER what the processor has, as an operating system would; not PCID, LAM,
  /// LASS and CET, which change what addresses and registers mean.
  mutating func enable(_ features: X86Features, _ mode: X86Mode) {
    cr4.insert(.globalPages)
    if features.pse { cr4.insert(.pageSizeExtensions) }
    if features.smep { cr4.insert(.supervisorExecutionPrevention) }
    if features.smap { cr4.insert(.supervisorAccessPrevention) }
    if mode == .long4 || mode == .long5 {
      if features.pku { cr4.insert(.userProtectionKeys) }
      if features.pks { cr4.insert(.supervisorProtectionKeys) }
    }
    if features.nx { efer.insert(.noExecuteEnable) }
  }
}

extension X86Features {
  /// Keeps the features that a scenario lists.
  mutating func restrict(to names: Set<String>) {
    nx = names.contains("nx")
    pse = names.contains("pse")
    pse36 = names.contains("pse36")
    gigabytePages = names.contains("gbpages")
    la57 = names.contains("la57")
    smep = names.contains("smep")
    smap = names.contains("smap")
    pcid = names.contains("pcid")
    pku = names.contains("pku")
    pks = names.contains("pks")
    lam = names.contains("lam")
    lass = names.contains("lass")
    shadowStacks = names.contains("cet")
  }
}

extension FilePath {
  /// Whether a file is there and can be opened.
  var isReadableFile: Bool {
    guard let descriptor = try? FileDescriptor.open(self, .readOnly, options: .closeOnExec) else {
      return false
    }
    try? descriptor.close()
    return true
  }
}
