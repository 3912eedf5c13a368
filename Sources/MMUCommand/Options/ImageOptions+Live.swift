import ArgumentParser
import GuestImage
import SystemPackage

extension ImageOptions {
  private static var prefix: String { "qmp:" }
  private static var longestTimeout: Double { 3600 }

  /// The socket of a running QEMU, where the image is `qmp:SOCKET`.
  var liveSocket: FilePath? {
    image.hasPrefix(Self.prefix) ? FilePath(String(image.dropFirst(Self.prefix.count))) : nil
  }

  func validateLive() throws {
    guard liveSocket != nil else {
      if ram != nil || qmpTimeout != nil {
        throw ValidationError("--ram and --qmp-timeout are for a running QEMU (qmp:SOCKET)")
      }
      return
    }
    guard ram != nil else {
      throw ValidationError("qmp:SOCKET needs --ram, the file of QEMU's memory backend")
    }
    if imageFormat != nil || base != nil {
      throw ValidationError("--image-format and --base are for files, not for qmp:SOCKET")
    }
    if let qmpTimeout, !(0.001...Self.longestTimeout).contains(qmpTimeout) {
      throw ValidationError("--qmp-timeout is \(qmpTimeout) (0.001...\(Self.longestTimeout))")
    }
  }

  /// The memory and registers of a running QEMU, or `nil` where the image is a file.
  func openLive() throws(FileFailure) -> GuestImage? {
    guard let liveSocket, let ram else { return nil }
    let guest: QEMUGuest
    do {
      guest = try QEMUGuest(qmp: liveSocket, timeout: .seconds(qmpTimeout ?? 10))
    } catch {
      throw FileFailure(image, error)
    }
    return try naming(ram) { () throws(ImageError) in
      try GuestImage(of: guest, memory: FilePath(ram))
    }
  }
}
