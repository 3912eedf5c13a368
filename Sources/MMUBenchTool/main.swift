import MMUBench

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

var arguments = Array(CommandLine.arguments.dropFirst())
let wantsJSON = arguments.contains("--json")
arguments.removeAll { $0 == "--json" }

do throws(BenchmarkError) {
  if !wantsJSON { print(BenchmarkResult.tableHeading) }
  try BenchmarkRunner.run(arguments) { print(wantsJSON ? $0.json : $0.tableRow) }
} catch {
  print(error)
  exit(2)
}
