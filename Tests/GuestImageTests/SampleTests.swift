import GuestImage
import Notation
import Paging
import SharedData
import SystemPackage
import Testing
import X86

@Suite("Recorded guests")
struct SampleTests {
  private func space(
    _ name: String, extension: String, in folder: String
  ) throws -> ImageAddressSpace {
    let path = FilePath("\(folder)/\(name).\(`extension`)")
    let sidecar = try RegisterValues(contentsOf: RegisterValues.sidecar(of: path))
    let image = try GuestImage(contentsOf: path)
    return try ImageAddressSpace(image, ImageRegisters(of: image, sidecar: sidecar))
  }

  static var images: [(String, String)] {
    SharedData.guests.map { ($0, "core") } + [("linux64", "lime")]
  }

  @Test(
    "W12 every sample leads where QEMU says, with its page size, permissions or reason",
    .enabled(if: SharedData.images != nil, "the recorded images are not here"), arguments: images)
  func everySampleIsRight(name: String, kind: String) throws {
    let folder = try #require(SharedData.images)
    let manifest = try Manifest.read(name, in: folder)
    let space = try space(name, extension: kind, in: folder)
    #expect(space.registers.mode.rawValue == manifest.mode)
    #expect(space.registers.cr3 == manifest.cr3.value)
    #expect(space.features.physicalAddressWidth == Int(manifest.maxphyaddr.value))
    var mapped = 0
    for sample in manifest.samples {
      let outcome = space.translate(GVA(sample.va.value), Probe())
      switch outcome {
      case .success(let translation):
        mapped += 1
        #expect(translation.address.rawValue == sample.pa?.value)
        #expect(translation.pageSize.bytes == sample.pageSize?.value)
        #expect(translation.rights.permissions.description == sample.perms)
      case .failure(.fault(let fault)):
        let reason = sample.reason
        #expect(sample.pa == nil, "\(sample.va.value)")
        #expect(fault.cause.description == reason.text)
        if let level = reason.level { #expect(fault.level.rawValue == level) }
      case .failure(let failure):
        Issue.record("\(GVA(sample.va.value)): \(failure)")
      }
    }
    #expect(manifest.samples.count == 645)
    #expect(mapped == 520)
  }

  @Test(
    "the note's registers are the manifest's",
    .enabled(if: SharedData.images != nil, "the recorded images are not here"),
    arguments: SharedData.guests)
  func noteHoldsControlRegisters(name: String) throws {
    let folder = try #require(SharedData.images)
    let manifest = try Manifest.read(name, in: folder)
    let image = try GuestImage(contentsOf: FilePath("\(folder)/\(name).core"))
    try #require(image.vCPUs.count == 1)
    let cpu = image.vCPUs[0]
    #expect(cpu.cr0 == manifest.cr0.value)
    #expect(cpu.cr3 == manifest.cr3.value)
    #expect(cpu.cr4 == manifest.cr4.value)
    // The guests were stopped in user mode, where interrupts are on.
    #expect(cpu.privilegeLevel == 3)
    #expect(cpu.rflags & 0x202 == 0x202)
    #expect(cpu.generalRegisters.count == VCPUState.generalRegisterNames.count)
  }

  @Test(
    "without a sidecar the mode is told by the ELF machine and CR4, and said to be assumed",
    .enabled(if: SharedData.images != nil, "the recorded images are not here"),
    arguments: SharedData.guests)
  func modeIsAssumedWithoutSidecar(name: String) throws {
    let folder = try #require(SharedData.images)
    let manifest = try Manifest.read(name, in: folder)
    let image = try GuestImage(contentsOf: FilePath("\(folder)/\(name).core"))
    let resolved = try ImageRegisters(of: image)
    #expect(resolved.registers.mode.rawValue == manifest.mode)
    #expect(resolved.notes.contains { $0.contains("EFER") && $0.contains(manifest.mode) })
  }

  @Test(
    "W3 a PDPTE with bit 5 is tolerated with a note, and refused when strict",
    .enabled(if: SharedData.images != nil, "the recorded images are not here"))
  func accessedPDPTEIsTolerated() throws {
    let folder = try #require(SharedData.images)
    let image = try GuestImage(contentsOf: FilePath("\(folder)/linux32pae.core"))
    let resolved = try ImageRegisters(of: image)
    let space = try ImageAddressSpace(image, resolved)
    #expect(space.notes.count { $0.contains("bit 5") } == 1)
    #expect(throws: ImageError.badPDPTE(index: 0, entry: 0x210_9021, bits: 0x20)) {
      try ImageAddressSpace(image, resolved, isStrict: true)
    }
  }

  @Test(
    "data pages read as the guest wrote them, and holes are named",
    .enabled(if: SharedData.images != nil, "the recorded images are not here"))
  func bytesAreRead() throws {
    let folder = try #require(SharedData.images)
    let image = try GuestImage(contentsOf: FilePath("\(folder)/showcase.core"))
    let text = Array("Linux version 6.1.0-56-amd64".utf8)
    #expect(image.read(GPA(0x68001A0), count: text.count) == .success(text))
    #expect(image.read(GPA(0x9E2DA6A), count: 2) == .success([0xF3, 0xAA]))
    let banner = try #require(
      image.segments.first { $0.gpa <= GPA(0x68001A0) && GPA(0x68001A0) < $0.end })
    let size = image.withFileBytes(of: banner) { $0.byteCount }
    #expect(UInt64(size) == banner.size)
    let last = try #require(image.segments.last)
    #expect(image.read(last.end.wrappingAdd(~0), count: 4) == .failure(ImageHole(last.end)))
    #expect(image.load(last.end, as: UInt64.self) == .failure(ImageHole(last.end)))
  }

  @Test(
    "the ELF core and the LiME capture of one guest hold the same memory",
    .enabled(if: SharedData.images != nil, "the recorded images are not here"))
  func formatsAgree() throws {
    let folder = try #require(SharedData.images)
    let core = try GuestImage(contentsOf: FilePath("\(folder)/linux64.core"))
    let lime = try GuestImage(contentsOf: FilePath("\(folder)/linux64.lime"))
    #expect(core.format == .elfCore)
    #expect(lime.format == .lime)
    #expect(core.segments.map(\.gpa) == lime.segments.map(\.gpa))
    for segment in core.segments {
      #expect(
        core.read(segment.gpa, count: Int(segment.size))
          == lime.read(segment.gpa, count: Int(segment.size)))
    }
  }
}
