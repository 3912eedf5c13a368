import GuestImage
import MMU
import Machine
import Paging
import SystemPackage

extension MachineComposer {
  /// The images of the memory list, by name, each opened once.
  func openImages() throws(ScenarioError) -> [String: GuestImage] {
    var images: [String: GuestImage] = [:]
    for region in spec.memory {
      guard case .image(let name) = region.content, images[name] == nil else { continue }
      do {
        images[name] = try GuestImage(contentsOf: folder.pushing(FilePath(name)))
      } catch {
        throw self.error("\(name): \(error)", line: region.line)
      }
    }
    return images
  }

  /// Where the memory of a slot begins.
  struct SlotMemory {
    var shared, `private`: HPA?
  }

  /// The most memory of all slots, those that steps add with the others. **Units** bytes.
  static var largestMemory: UInt64 { 1 << 46 }

  /// Host memory and the slots: table pages first, then the slots in the file's order and those that
  /// steps add, each aligned to its largest page as the guest sees it.
  ///
  /// Private memory lies beside the shared one.
  ///
  /// - Parameter spare: where each slot that a step adds begins, by the line of its region.
  func makeMemory(
    _ images: [String: GuestImage], spare: inout [Int: SlotMemory]
  ) throws(ScenarioError) -> GuestMemory {
    var cursor = UInt64(spec.tablePageLimit + 1) << 12
    func reserve(_ region: MachineSpec.Region) throws(ScenarioError) -> SlotMemory {
      switch region.content {
      case .device, .pluginDevice, .none: return SlotMemory()
      case .ram, .image: break
      }
      return SlotMemory(
        shared: try place(region), private: region.isPrivate ? try place(region) : nil)
    }
    func place(_ region: MachineSpec.Region) throws(ScenarioError) -> HPA {
      let alignment = max(region.backing, .size4KiB).offsetMask
      let place = cursor + ((region.gpa.rawValue &- cursor) & alignment)
      cursor = place + region.byteCount
      guard cursor <= Self.largestMemory else {
        throw error("the slots have more than 64 TiB of memory together", line: region.line)
      }
      return HPA(place)
    }
    var slots: [(slot: Memslot, image: GuestImage?, region: MachineSpec.Region)] = []
    for region in spec.memory {
      if region.content.isDevice { continue }
      var image: GuestImage?
      if case .image(let name) = region.content { image = images[name] }
      let place = try reserve(region)
      var slot = Memslot(
        region, id: slots.count, host: place.shared, privateHost: place.private)
      if region.isPostCopy, let pages = image {
        slot.missing = MissingPages(frameCount: slot.frameCount, from: ImagePages(pages))
        image = nil
      }
      slots.append((slot, image, region))
    }
    for region in addedLater { spare[region.line] = try reserve(region) }
    let host: HostMemory
    do {
      let huge = (spec.memory + addedLater).filter {
        $0.hostPages == .hugetlb || $0.hostPages == .transparent
      }
      host = try HostMemory(
        byteCount: cursor, alignment: huge.map(\.backing).max() ?? .size4KiB)
    } catch {
      throw self.error("\(error)", line: spec.line)
    }
    for (slot, image, region) in slots {
      for first in [slot.host, slot.privateHost] {
        if let first { try backWithHugePages(first, region, in: host) }
      }
      if let image { try put(image, behind: slot, region, in: host) }
    }
    for region in addedLater {
      let place = spare[region.line]
      for first in [place?.shared, place?.private] {
        if let first { try backWithHugePages(first, region, in: host) }
      }
    }
    let memory = GuestMemory(host: host, hasSystemManagement: spec.hasSystemManagement)
    for (slot, _, region) in slots {
      do {
        let change = region.isSystemManagement ? memory.updateManagement : memory.update
        try change({ table throws(MemslotError) in try table.adding(slot) }, { _ in })
      } catch {
        throw self.error("\(error)", line: region.line)
      }
    }
    return memory
  }

  /// The devices of the memory list.
  func makeBus(_ notes: inout [String]) throws(ScenarioError) -> MMIOBus {
    let bus = MMIOBus()
    for region in spec.memory {
      let device: any MMIODevice
      switch region.content {
      case .device(.uart): device = UART()
      case .device(.scratch): device = ScratchRegisters()
      case .pluginDevice(let name):
        do {
          guard let found = try plugins.device(name, at: region.gpa) else {
            notes.append("the device '\(name)' is left out with its plugin")
            continue
          }
          device = found
        } catch {
          throw self.error("\(error)", line: region.line)
        }
      case .ram, .image, .none: continue
      }
      guard bus.attach(device, at: region.gpa, byteCount: region.byteCount) else {
        throw error("the device overlaps another", line: region.line)
      }
    }
    return bus
  }
}

extension Memslot {
  /// The slot of a region.
  init(_ region: MachineSpec.Region, id: Int, host: HPA?, privateHost: HPA?) {
    var flags: Flags = region.isReadOnly ? .readOnly : []
    if region.raisesExceptions { flags.insert(.convertsViolations) }
    self.init(
      id: id, base: region.gpa.frame, frameCount: region.byteCount >> 12, host: host,
      flags: flags, backing: region.backing, privateHost: privateHost)
  }
}
