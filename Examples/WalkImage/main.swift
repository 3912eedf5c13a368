import GuestImage
import Paging
import SystemPackage

// The memory of a real Linux guest, and the registers that its dump recorded.
let image = try GuestImage(contentsOf: "Examples/images/showcase.core")
let space = try ImageAddressSpace(image, ImageRegisters(of: image))

switch space.translate(GVA(0xffff_ffff_8720_01a0), Probe()) {
case .success(let found):
  print("GPA \(found.address), in a page of \(found.pageSize)")
  let bytes = try image.read(found.address, count: 28).get()
  print(String(decoding: bytes, as: UTF8.self))
case .failure(let why):
  print("no translation: \(why)")
}
