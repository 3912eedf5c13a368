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

  /// Host memory and the slots: table pages first, then the slots in the file's order, each aligned
  /// to its largest page as the guest sees it.
  func makeMemory(_ images: [String: GuestImage]) throws(ScenarioError) -> GuestMemory {
    var cursor = UInt64(spec.tablePageLimit + 1) << 12
    var slots: [(slot: Memslot, image: GuestImage?, line: Int)] = []
    for region in spec.memory {
      var image: GuestImage?
      switch region.content {
      case .device: continue
      case .image(let name): image = images[name]
      case .ram, .none: break
      }
      var host: HPA?
      if region.content != .none {
        let alignment = max(region.backing, .size4KiB).offsetMask
        cursor += (region.gpa.rawValue &- cursor) & alignment
        host = HPA(cursor)
        cursor += region.byteCount
      }
      let slot = Memslot(
        id: slots.count, base: region.gpa.frame, frameCount: region.byteCount >> 12, host: host,
        flags: region.isReadOnly ? .readOnly : [], backing: region.backing)
      slots.append((slot, image, region.line))
    }
    let host: HostMemory
    do {
      host = try HostMemory(byteCount: cursor)
    } catch {
      throw self.error("\(error)")
    }
    let memory = GuestMemory(host: host)
    for (slot, image, line) in slots {
      do {
        try memory.update { table throws(MemslotError) in try table.adding(slot) }
      } catch {
        throw self.error("\(error)", line: line)
      }
      if let image { copy(image, to: slot, in: memory.view) }
    }
    return memory
  }

  /// Copies the image's bytes that lie in a slot; holes stay zeros.
  private func copy(_ image: GuestImage, to slot: Memslot, in view: GuestView) {
    let end = slot.end.baseAddress.rawValue
    for segment in image.segments {
      image.withFileBytes(of: segment) { bytes in
        let first = max(segment.gpa.rawValue, slot.base.baseAddress.rawValue)
        let last = min(segment.gpa.rawValue &+ UInt64(bytes.byteCount), end)
        guard first < last else { return }
        let low = Int(first - segment.gpa.rawValue)
        _ = view.write(bytes.extracting(low..<(low + Int(last - first))), at: GPA(first))
      }
    }
  }

  /// The devices of the memory list.
  func makeBus() throws(ScenarioError) -> MMIOBus {
    let bus = MMIOBus()
    for region in spec.memory {
      guard case .device(let kind) = region.content else { continue }
      let device: any MMIODevice =
        switch kind {
        case .uart: UART()
        case .scratch: ScratchRegisters()
        }
      guard bus.attach(device, at: region.gpa, byteCount: region.byteCount) else {
        throw error("the device overlaps another", line: region.line)
      }
    }
    return bus
  }
}
