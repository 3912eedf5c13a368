#if os(Linux) && arch(x86_64)
package import CKVM
import Glibc
package import Paging
package import X86

/// A virtual machine of `/dev/kvm` with one vCPU.
///
/// **Source** Linux, "The Definitive KVM (Kernel-based Virtual Machine) API Documentation".
@safe
package final class KVMMachine {
  /// Why the vCPU came back.
  package enum Exit: Hashable {
    /// HLT.
    case halted
    /// An access to memory that is in no slot.
    case memory(GPA)
    /// A triple fault.
    case shutdown
    /// The time is over.
    case timeout
    /// Another reason, by its number in `linux/kvm.h`, or an errno below 0.
    case other(Int)
  }

  private let system, machine, vcpu: Int32
  private let run: UnsafeMutablePointer<kvm_run>
  private let runSize: Int
  /// What the slots hold, kept while they are there.
  private var slots: [UInt32: KVMPages] = [:]

  /// A machine without memory, its vCPU in the state after reset.
  ///
  /// - Parameter features: the MAXPHYADDR and the vendor that CPUID tells; `nil` to leave CPUID alone.
  /// - Throws: `KVMError`, in one line.
  package init(telling features: X86Features? = nil) throws(KVMError) {
    system = unsafe open(RealCPU.device, O_RDWR | O_CLOEXEC)
    guard system >= 0 else { throw KVMError(unsafe String(cString: strerror(errno))) }
    var opened = [system]
    func fail(_ what: String) -> KVMError {
      let why = unsafe String(cString: strerror(errno))
      for descriptor in opened.reversed() { close(descriptor) }
      return KVMError("\(what): \(why)")
    }
    guard ckvm_ioctl(system, ckvm_get_api_version, 0) == KVM_API_VERSION else {
      throw fail("not version \(KVM_API_VERSION) of the interface")
    }
    machine = ckvm_ioctl(system, ckvm_create_vm, 0)
    guard machine >= 0 else { throw fail("no virtual machine") }
    opened.append(machine)
    vcpu = ckvm_ioctl(machine, ckvm_create_vcpu, 0)
    guard vcpu >= 0 else { throw fail("no vCPU") }
    opened.append(vcpu)
    runSize = Int(ckvm_ioctl(system, ckvm_get_vcpu_mmap_size, 0))
    guard runSize >= MemoryLayout<kvm_run>.size else { throw fail("no run area") }
    let area = unsafe mmap(nil, runSize, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0)
    guard let area = unsafe area, unsafe area != MAP_FAILED else { throw fail("no run area") }
    unsafe run = unsafe area.bindMemory(to: kvm_run.self, capacity: 1)
    if let features,
      ckvm_give_cpuid(
        system, vcpu, UInt32(features.physicalAddressWidth), features.vendor == .intel) != 0
    {
      let error = fail("CPUID with MAXPHYADDR \(features.physicalAddressWidth)")
      unsafe munmap(area, runSize)
      throw error
    }
  }

  deinit {
    unsafe munmap(run, runSize)
    for descriptor in [vcpu, machine, system] { close(descriptor) }
  }

  /// Puts memory in a slot, in place of what it holds.
  ///
  /// - Returns: whether KVM took it.
  package func setMemory(
    slot: UInt32, at gpa: GPA, to pages: KVMPages, from offset: Int = 0, byteCount: Int
  ) -> Bool {
    guard removeMemory(slot: slot) else { return false }
    var region = kvm_userspace_memory_region()
    region.slot = slot
    region.guest_phys_addr = gpa.rawValue
    region.memory_size = UInt64(byteCount)
    region.userspace_addr = pages.hostAddress(of: offset)
    guard call(machine, ckvm_set_memory, &region) else { return false }
    slots[slot] = pages
    return true
  }

  /// Empties a slot: KVM forgets all that it derived from its memory.
  @discardableResult
  package func removeMemory(slot: UInt32) -> Bool {
    guard slots[slot] != nil else { return true }
    var region = kvm_userspace_memory_region()
    region.slot = slot
    guard call(machine, ckvm_set_memory, &region) else { return false }
    slots[slot] = nil
    return true
  }

  /// The segment, control and table registers.
  package var specialRegisters: kvm_sregs? {
    var registers = kvm_sregs()
    return call(vcpu, ckvm_get_sregs, &registers) ? registers : nil
  }

  /// Sets the segment, control and table registers.
  ///
  /// - Returns: whether KVM took them.
  package func set(_ registers: kvm_sregs) -> Bool {
    var registers = registers
    return call(vcpu, ckvm_set_sregs, &registers)
  }

  /// The general registers, RIP and RFLAGS.
  package var registers: kvm_regs? {
    var registers = kvm_regs()
    return call(vcpu, ckvm_get_regs, &registers) ? registers : nil
  }

  /// Sets the general registers, RIP and RFLAGS.
  ///
  /// - Returns: whether KVM took them.
  package func set(_ registers: kvm_regs) -> Bool {
    var registers = registers
    return call(vcpu, ckvm_set_regs, &registers)
  }

  /// Runs the vCPU until it comes back.
  ///
  /// - Parameter milliseconds: after how long it is fetched back.
  package func run(milliseconds: UInt32 = 1000) -> Exit {
    guard ckvm_run(vcpu, milliseconds) == 0 else {
      return errno == EINTR ? .timeout : .other(-Int(errno))
    }
    let exit = unsafe ckvm_last_exit(run)
    switch Int32(exit.reason) {
    case KVM_EXIT_HLT: return .halted
    case KVM_EXIT_MMIO: return .memory(GPA(exit.mmio_address))
    case KVM_EXIT_SHUTDOWN: return .shutdown
    default: return .other(Int(exit.reason))
    }
  }

  private func call<Argument: BitwiseCopyable>(
    _ descriptor: Int32, _ request: UInt, _ argument: inout Argument
  ) -> Bool {
    unsafe ckvm_ioctl_pointer(descriptor, request, &argument) == 0
  }
}
#endif
