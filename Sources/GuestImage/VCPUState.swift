/// A vCPU as an image describes it: the note that QEMU writes for each, or what a running QEMU says.
///
/// PKRU and MAXPHYADDR are not in it; EFER is told by a running QEMU alone.
///
/// **Source** QEMU behaviour: the `QEMU` note, version 1, of x86 cores.
public struct VCPUState: Hashable, Sendable {
  /// CR0.
  public let cr0: UInt64
  /// CR2.
  public let cr2: UInt64
  /// CR3.
  public let cr3: UInt64
  /// CR4.
  public let cr4: UInt64
  /// IA32_EFER, or `nil` in a note, which has none.
  public let efer: UInt64?
  /// The instruction pointer.
  public let rip: UInt64
  /// The stack pointer.
  public var rsp: UInt64 { generalRegisters[6] }
  /// The flags.
  public let rflags: UInt64
  /// RAX, RBX, RCX, RDX, RSI, RDI, RSP, RBP, R8…R15.
  public let generalRegisters: [UInt64]
  /// The privilege level: bits 1:0 of the CS selector.
  public let privilegeLevel: Int

  /// The names of `generalRegisters`, in its order.
  public static var generalRegisterNames: [String] {
    [
      "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp",
      "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    ]
  }

  /// A state of known registers.
  ///
  /// **Requires** sixteen general registers.
  init(
    cr0: UInt64, cr2: UInt64, cr3: UInt64, cr4: UInt64, efer: UInt64?, rip: UInt64,
    rflags: UInt64, generalRegisters: [UInt64], privilegeLevel: Int
  ) {
    precondition(generalRegisters.count == Self.generalRegisterNames.count)
    self.cr0 = cr0
    self.cr2 = cr2
    self.cr3 = cr3
    self.cr4 = cr4
    self.efer = efer
    self.rip = rip
    self.rflags = rflags
    self.generalRegisters = generalRegisters
    self.privilegeLevel = privilegeLevel
  }

  /// The offsets in the note's descriptor. **Units** bytes.
  private enum Offset {
    static let version: UInt64 = 0
    static let size: UInt64 = 4
    static let generalRegisters: UInt64 = 8
    static let rip: UInt64 = 136
    static let rflags: UInt64 = 144
    /// CS, the first of ten segments of 24 bytes: selector, limit, flags, padding, base.
    static let segments: UInt64 = 152
    /// CR0 to CR4; CR1 is a place-holder.
    static let controlRegisters: UInt64 = 392
    static let end: UInt64 = 432
  }

  /// Reads a note's descriptor.
  ///
  /// - Throws: `ImageError.noteUnsupported` where it is of another version or too short.
  init(
    qemuNote bytes: ImageBytes, at offset: UInt64, size: UInt64, number: Int
  ) throws(ImageError) {
    func word(_ place: UInt64) -> UInt64 {
      UInt64(littleEndian: bytes.load(UInt64.self, at: offset + place) ?? 0)
    }
    func half(_ place: UInt64) -> UInt32 {
      UInt32(littleEndian: bytes.load(UInt32.self, at: offset + place) ?? 0)
    }
    guard size >= Offset.end, bytes.holds(offset: offset, size: Offset.end),
      half(Offset.version) == 1, UInt64(half(Offset.size)) >= Offset.end
    else {
      let version = size >= 4 ? half(Offset.version) : 0
      throw .noteUnsupported(cpu: number, version: version, size: size)
    }
    generalRegisters = (0..<16).map { word(Offset.generalRegisters + $0 * 8) }
    rip = word(Offset.rip)
    rflags = word(Offset.rflags)
    privilegeLevel = Int(half(Offset.segments) & 3)
    efer = nil
    cr0 = word(Offset.controlRegisters)
    cr2 = word(Offset.controlRegisters + 16)
    cr3 = word(Offset.controlRegisters + 24)
    cr4 = word(Offset.controlRegisters + 32)
  }
}
