// Ten machines, each composed in a few lines: the commonest first. `docs/compose.md` explains them.

let compositions: [(title: String, run: () throws -> Void)] = [
  ("Walk an image", walkImage),
  ("Put a four-level guest behind EPT", guestBehindEPT),
  ("Walk tables in a memory of your own", ownMemory),
  ("Refuse a range by policy", refusingPolicy),
  ("Watch the exits", observedExits),
  ("Load a plugin", loadedPlugin),
  ("Walk a paging format of your own", ownFormat),
  ("Write spare bits with an encoder of your own", ownEncoder),
  ("Log faults with a handler of your own", loggedFaults),
  ("Bound what a hostile guest can cost", hostileGuest),
]

for (number, composition) in compositions.enumerated() {
  print("\(number + 1). \(composition.title)")
  try composition.run()
}
