import GuestImage
import Notation
import Paging
import Testing
import X86

@Suite("Registers of an image")
struct RegisterTests {
  private func decode(_ json: String) throws -> RegisterValues {
    try JSONInput.decode(RegisterValues.self, from: Array(json.utf8))
  }

  @Test("a sidecar's numbers are hex strings or integers, other keys are passed over")
  func sidecarIsDecoded() throws {
    let values = try decode(
      #"{"mode":"pae","cr0":"0x80000001","cr3":4096,"efer":"2048","maxphyaddr":"0x24","x":[1]}"#)
    #expect(values.mode == .pae)
    #expect(values.cr0 == 0x8000_0001)
    #expect(values.cr3 == 4096)
    #expect(values.cr4 == nil)
    #expect(values.efer == 2048)
    #expect(values.physicalAddressWidth == 36)
  }

  @Test(
    "a bad sidecar is told in one line that names the key",
    arguments: [
      (#"{"cr3":"zz"}"#, "cr3: 'zz' is not a number"),
      (#"{"cr3":-1}"#, "cr3: not a number"),
      (#"{"cr3":1.5}"#, "cr3: not a number"),
      (#"{"cr3":"0x10000000000000000"}"#, "cr3"),
      (#"{"cr3":[1]}"#, "cr3"),
      (#"{"mode":"long6"}"#, "mode: 'long6' is not a mode"),
      (#"{"maxphyaddr":53}"#, "maxphyaddr: 53 is out of range (32...52)"),
      ("[1]", ""), ("{", "not valid JSON"), ("", "not valid JSON"),
      (String(repeating: "[", count: 100_000), ""),
    ])
  func badSidecarIsNamed(json: String, message: String) {
    #expect {
      try decode(json)
    } throws: { error in
      let text = "\(error)"
      return text.contains(message) && !text.contains("\n") && !text.isEmpty
    }
  }

  @Test("flags win over the image's note, and the note over the sidecar")
  func precedence() throws {
    let note =
      ELFBuilder.little(UInt32(5)) + ELFBuilder.little(UInt32(440)) + ELFBuilder.little(UInt32(0))
      + Array("QEMU\0\0\0\0".utf8) + ELFBuilder.little(UInt32(1)) + ELFBuilder.little(UInt32(440))
      + [UInt8](repeating: 0, count: 384)
      + [UInt64(0x8005_0033), 0, 0, 0x1000, 0x20].flatMap { ELFBuilder.little($0) }
      + [UInt8](repeating: 0, count: 8)
    let image = try GuestImage(
      ELFBuilder(segments: [
        .init(gpa: 0, bytes: note, type: 4), .init(gpa: 0, bytes: [UInt8](repeating: 0, count: 32)),
      ]).bytes)
    var sidecar = RegisterValues()
    sidecar.cr3 = 0x2000
    sidecar.efer = 0xD01
    let resolved = try ImageRegisters(of: image, sidecar: sidecar)
    #expect(resolved.registers.cr3 == 0x1000)
    #expect(resolved.registers.mode == .long4)
    #expect(resolved.notes.isEmpty)
    var given = RegisterValues()
    given.cr3 = 0x3000
    given.efer = 0
    given.physicalAddressWidth = 40
    let overruled = try ImageRegisters(of: image, given: given, sidecar: sidecar)
    #expect(overruled.registers.cr3 == 0x3000)
    #expect(overruled.registers.mode == .pae)
    #expect(overruled.features.physicalAddressWidth == 40)
    for mode in [X86Mode.legacy32, .pae, .long4, .long5] {
      var forced = RegisterValues()
      forced.mode = mode
      #expect(try ImageRegisters(of: image, given: forced).registers.mode == mode)
    }
    #expect(throws: ImageError.noSuchCPU(asked: 1, count: 1)) {
      try ImageRegisters(of: image, cpu: 1)
    }
  }

  @Test("an image without a CR3 anywhere is an error, one of another processor too")
  func missingRegistersAreErrors() throws {
    #expect(throws: ImageError.noCR3) { try ImageRegisters(of: GuestImage([1])) }
    let arm = try GuestImage(
      ELFBuilder(machine: 183, segments: [.init(gpa: 0, bytes: [1])]).bytes)
    #expect(throws: ImageError.notX86(machine: 183)) { try ImageRegisters(of: arm) }
  }

  @Test("W14 PAE whose PDPTEs are not in the image is an outcome of each address")
  func missingPDPTEsAreAnOutcome() throws {
    var given = RegisterValues()
    given.mode = .pae
    given.cr3 = 0x7000
    let image = try GuestImage([1])
    let space = try ImageAddressSpace(image, ImageRegisters(of: image, given: given))
    guard
      case .failure(.unreadable(let hole, _, let level)) = space.translate(GVA(0x1000), Probe())
    else {
      Issue.record("no hole")
      return
    }
    #expect(hole == ImageHole(GPA(0x7000)))
    #expect(level == .directoryPointer)
  }
}
