extension X86Registers {
  /// The least that selects a paging mode, with CR0.WP; everything else is off.
  ///
  /// - Parameter cr3: the root, as MOV CR3 takes it.
  public init(_ mode: X86Mode, cr3: UInt64) {
    self.init(cr0: [.protectionEnable, .writeProtect], cr3: cr3)
    if mode != .none { cr0.insert(.paging) }
    if mode == .pae || mode == .long4 || mode == .long5 {
      cr4.insert(.physicalAddressExtension)
    }
    if mode == .long5 { cr4.insert(.linearAddress57) }
    if mode == .long4 || mode == .long5 { efer.formUnion([.longModeEnable, .longModeActive]) }
  }
}
