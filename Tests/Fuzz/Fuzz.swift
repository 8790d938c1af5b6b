// What libFuzzer calls: fuzz TARGET [libFuzzer's own arguments], or fuzz TARGET --seed-corpus DIRECTORY.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Storage

private let target: FuzzTarget = {
    let name = CommandLine.arguments.dropFirst().first ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        print("targets: \(FuzzTarget.all.map(\.name).joined(separator: " "))")
        exit(64)
    }
    return target
}()

@_cdecl("LLVMFuzzerInitialize")
func initialize(_ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>) -> CInt {
    let target = target
    if CommandLine.arguments.count == 4, CommandLine.arguments[2] == "--seed-corpus" {
        do { try writeSeeds(of: target, to: CommandLine.arguments[3]) } catch { violated("\(error)") }
        exit(0)
    }
    // The target's name is ours. In its place, what comes behind it.
    // Sound: the list has as many entries as counted, two of them at least, and a null behind the last.
    for index in 1..<Int(unsafe count.pointee) { unsafe arguments.pointee[index] = arguments.pointee[index + 1] }
    unsafe count.pointee -= 1
    return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
func test(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Sound: copied before the call returns.
    target.run(unsafe Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

/// Adds what is missing to a directory; libFuzzer goes on from what it has found there before.
private func writeSeeds(of target: FuzzTarget, to path: String) throws(DiskError) {
    let disk = try FileSystemDisk(path: path)
    let present = Set(try disk.list())
    for (number, seed) in target.seeds().enumerated() where !present.contains("seed-\(number)") {
        // Sound: bytes have no invalid pattern.
        try disk.create("seed-\(number)").write(unsafe seed.span.bytes, at: 0)
    }
}
