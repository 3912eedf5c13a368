import ArgumentParser
import GuestImage
import Paging
import X86
import X86NPT

/// A guest inside the imaged guest: its second level makes the image another one.
struct InnerOptions: ParsableArguments {
  @Option(
    help: """
      Look at a guest inside the guest: its EPTP. The registers are the inner guest's, and its \
      memory is what EPT maps.
      """)
  var eptp: Number?

  @Option(help: "The same for AMD's nested paging: nCR3.")
  var ncr3: Number?

  @Option(
    help: """
      With --ncr3: the paging mode of the hypervisor, which its nested tables have too (default: \
      what CR4 of the image's vCPU says, else long4).
      """)
  var hostMode: HostModeArgument?

  func validate() throws {
    if eptp != nil, ncr3 != nil { throw ValidationError("--eptp and --ncr3 exclude each other") }
    if hostMode != nil, ncr3 == nil { throw ValidationError("--host-mode belongs to --ncr3") }
  }

  /// The memory of the inner guest, or the image itself where none is asked for.
  ///
  /// - Parameter width: MAXPHYADDR. **Units** bits.
  func applied(
    to image: GuestImage, cpu: Int, physicalAddressWidth width: Int
  ) throws(ImageError) -> GuestImage {
    if let eptp {
      return try GuestImage(
        inside: image, behind: SecondLevel(eptp: eptp.value, physicalAddressWidth: width))
    }
    guard let ncr3 else { return image }
    let form = hostMode?.form ?? Self.form(of: image, cpu: cpu)
    return try GuestImage(
      inside: image,
      behind: SecondLevel(ncr3: ncr3.value, form: form, physicalAddressWidth: width))
  }

  /// The form that the registers in the image tell; they may be the inner guest's, which is why a flag
  /// can say otherwise.
  private static func form(of image: GuestImage, cpu: Int) -> NPTCapabilities.Form {
    guard let registers = try? ImageRegisters(of: image, cpu: cpu) else { return .long4 }
    return switch registers.registers.mode {
    case .pae: .pae
    case .long5: .long5
    case .none, .legacy32, .long4: .long4
    }
  }
}

/// The forms that nested tables have.
enum HostModeArgument: String, ExpressibleByArgument, CaseIterable {
  case pae, long4, long5

  var form: NPTCapabilities.Form {
    switch self {
    case .pae: .pae
    case .long4: .long4
    case .long5: .long5
    }
  }
}
