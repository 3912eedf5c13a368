import ArgumentParser
import GuestImage
import Paging
import SystemPackage
import X86

/// The image and the flags that every command about an image takes.
struct ImageOptions: ParsableArguments {
  @Argument(
    help: """
      The memory image: an ELF core, a LiME, AVML or kdump capture, or raw bytes; or qmp:SOCKET, a \
      running QEMU (with --ram).
      """)
  var image: String

  @Option(help: "How the image is laid out, where its first bytes do not tell.")
  var imageFormat: ImageFormatArgument?

  @Option(help: "The GPA of the first byte of a raw image.")
  var base: Number?

  @Option(help: "CR0; wins over the image and its sidecar, as do the flags below.")
  var cr0: Number?

  @Option(help: "CR3.")
  var cr3: Number?

  @Option(help: "CR4.")
  var cr4: Number?

  @Option(help: "IA32_EFER.")
  var efer: Number?

  @Option(help: "MAXPHYADDR, 32 to 52 bits (default: the sidecar's, else 52).")
  var maxphyaddr: Number?

  @Option(
    help: "Who made the processor: reserved bits differ (default: the sidecar's, else intel).")
  var vendor: VendorArgument?

  @Option(help: "The paging mode, whatever the registers say.")
  var mode: ModeArgument?

  @Option(
    help: "A JSON file of registers (default: the image's name with the extension .json).")
  var registers: String?

  @Option(help: "Which of the image's vCPUs, from 0.")
  var cpu = 0

  @Option(
    help: "With qmp:SOCKET: the file of QEMU's memory-backend-file, which has share=on.")
  var ram: String?

  @Option(help: "With qmp:SOCKET: how many seconds QEMU may take to answer (default: 10).")
  var qmpTimeout: Double?

  @Flag(help: "Refuse PDPTEs with bit 5 set, as hardware does.")
  var strict = false

  @OptionGroup var inner: InnerOptions

  func validate() throws {
    if let width = maxphyaddr?.value, !(32...52).contains(width) {
      throw ValidationError("--maxphyaddr is \(width) (32...52)")
    }
    if cpu < 0 { throw ValidationError("--cpu is \(cpu) (0 or more)") }
    if base != nil, let format = imageFormat, format != .raw {
      throw ValidationError("--base is for raw images (--image-format raw)")
    }
    try validateLive()
  }

  /// The image, opened; with `--eptp` or `--ncr3` the memory of the guest inside the imaged one.
  func openImage() throws -> GuestImage {
    let outer = try openFile()
    return try naming(image) { () throws(ImageError) in try innermost(of: outer) }
  }

  /// The image, or what its second level maps where a flag names one.
  func innermost(of opened: GuestImage) throws(ImageError) -> GuestImage {
    try inner.applied(
      to: opened, cpu: cpu,
      physicalAddressWidth: given.physicalAddressWidth ?? opened.physicalAddressWidth
        ?? ImageRegisters.assumedPhysicalAddressWidth)
  }

  private func openFile() throws -> GuestImage {
    if let live = try openLive() { return live }
    let format: ImageFormat? =
      switch imageFormat {
      case .elf: .elfCore
      case .lime: .lime
      case .avml: .avml
      case .kdump: .kdump
      case .raw: .raw(base: GPA(base?.value ?? 0))
      case nil: nil
      }
    return try naming(image) { () throws(ImageError) in
      let path = FilePath(image)
      let opened = try GuestImage(contentsOf: path, as: format)
      guard let base, case .raw = opened.format, format == nil else { return opened }
      return try GuestImage(contentsOf: path, as: .raw(base: GPA(base.value)))
    }
  }

  /// What the flags say of the registers.
  var given: RegisterValues {
    var values = RegisterValues()
    values.mode = mode?.mode
    values.cr0 = cr0?.value
    values.cr3 = cr3?.value
    values.cr4 = cr4?.value
    values.efer = efer?.value
    values.physicalAddressWidth = maxphyaddr.map { Int($0.value) }
    values.vendor = vendor?.vendor
    return values
  }

  /// What the sidecar says: nothing where there is none.
  func sidecar() throws -> RegisterValues {
    if let registers {
      return try naming(registers) { () throws(ImageError) in
        try RegisterValues(contentsOf: FilePath(registers))
      }
    }
    if liveSocket != nil { return RegisterValues() }
    let path = RegisterValues.sidecar(of: FilePath(image))
    guard path != FilePath(image), path.exists else { return RegisterValues() }
    return try naming(path.string) { () throws(ImageError) in
      try RegisterValues(contentsOf: path)
    }
  }

  /// The address space to translate in; what had to be assumed is said on standard error.
  ///
  /// - Parameter adjust: a last change to the registers and the processor.
  func openAddressSpace(
    _ adjust: (inout ImageRegisters) -> Void = { _ in }
  ) throws -> ImageAddressSpace {
    let opened = try openImage()
    let beside = try sidecar()
    let space = try naming(image) { () throws(ImageError) in
      var resolved = try ImageRegisters(of: opened, cpu: cpu, given: given, sidecar: beside)
      adjust(&resolved)
      return try ImageAddressSpace(opened, resolved, isStrict: strict)
    }
    for note in space.notes { StandardError.write("mmu: note: \(note)") }
    return space
  }

  func naming<Value>(
    _ file: String, _ body: () throws(ImageError) -> Value
  ) throws(FileFailure) -> Value {
    do { return try body() } catch { throw FileFailure(file, error) }
  }
}

extension FilePath {
  /// Whether something has this name.
  var exists: Bool {
    guard let descriptor = try? FileDescriptor.open(self, .readOnly, options: .nonBlocking) else {
      return false
    }
    try? descriptor.close()
    return true
  }
}
