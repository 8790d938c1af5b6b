// What the log expects of a disk, held against the real one and against the one that tests use in its place.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Memory
import Storage
import Testing
import TestSupport

@Suite struct DiskTests {
    enum Kind: CaseIterable { case fileSystem, faulty }

    @Test(arguments: Kind.allCases)
    func `names are listed in order, created once, and gone when removed`(kind: Kind) throws {
        try Self.withDisk(kind) { disk in
            #expect(try disk.list() == [])
            for name in ["b", "c", "a"] { _ = try disk.create(name) }
            #expect(try disk.list() == ["a", "b", "c"])
            #expect(Self.code { () throws(DiskError) in _ = try disk.create("b") } == EEXIST)
            try disk.remove("b")
            try disk.syncDirectory()
            #expect(try disk.list() == ["a", "c"])
            #expect(Self.code { () throws(DiskError) in _ = try disk.open("b") } == ENOENT)
            #expect(Self.code { () throws(DiskError) in try disk.remove("b") } == ENOENT)
            _ = try disk.create("b")
        }
    }

    @Test(arguments: Kind.allCases)
    func `a file holds what was written, with zeros where nothing was`(kind: Kind) throws {
        try Self.withDisk(kind) { disk in
            let file = try disk.create("file")
            #expect(file.name == "file")
            #expect(try file.size() == 0)
            try file.write([1, 2, 3].rawSpan, at: 5)
            try file.write([9].rawSpan, at: 6)
            try file.sync()
            let again = try disk.open("file")
            #expect(try again.size() == 8)
            #expect(try Self.read(again, 20, at: 0) == [0, 0, 0, 0, 0, 1, 9, 3])
            #expect(try Self.read(again, 2, at: 5) == [1, 9])
            #expect(try Self.read(again, 4, at: 8) == [])
        }
    }

    @Test(arguments: Kind.allCases)
    func `truncating cuts, and growing again gives zeros`(kind: Kind) throws {
        try Self.withDisk(kind) { disk in
            let file = try disk.create("file")
            try file.write([1, 2, 3, 4].rawSpan, at: 0)
            try file.truncate(to: 2)
            #expect(try file.size() == 2)
            try file.truncate(to: 5)
            #expect(try Self.read(file, 9, at: 0) == [1, 2, 0, 0, 0])
        }
    }

    @Test(arguments: Kind.allCases)
    func `a file can be read and written after its name is gone`(kind: Kind) throws {
        try Self.withDisk(kind) { disk in
            let file = try disk.create("file")
            try disk.remove("file")
            try file.write([7].rawSpan, at: 0)
            try file.sync()
            #expect(try Self.read(file, 1, at: 0) == [7])
        }
    }

    @Test(arguments: Kind.allCases)
    func `a mapped file is read in place, empty or not, without its name or anybody who holds it open`(kind: Kind) throws {
        try Self.withDisk(kind) { disk in
            #expect(try disk.create("empty").map().byteCount == 0)
            let content = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
            try disk.create("file").write(content.rawSpan, at: 0)
            let mapped = try disk.open("file").map()
            try disk.remove("file")
            #expect(mapped.byteCount == 10_000)
            #expect(Array(copying: mapped.bytes) == content)
        }
    }

    @Test func `a directory has one holder at a time`() throws {
        try TemporaryDirectory.with { path in
            let first = try FileSystemDisk(path: path)
            try first.lock()
            let second = try FileSystemDisk(path: path)
            #expect(Self.code { () throws(DiskError) in try second.lock() } == EWOULDBLOCK)
        }
        let disk = FaultyDisk()
        try disk.lock()
        #expect(Self.code { () throws(DiskError) in try disk.lock() } == EWOULDBLOCK)
        try disk.afterRestart().lock()
    }

    @Test func `a lock ends with its holder`() throws {
        try TemporaryDirectory.with { path in
            do {
                let first = try FileSystemDisk(path: path)
                try first.lock()
            }
            try FileSystemDisk(path: path).lock()
        }
    }

    @Test func `a directory that is missing is made, and it alone`() throws {
        try TemporaryDirectory.with { path in
            do {
                let disk = try FileSystemDisk(path: path + "/new")
                _ = try disk.create("file")
                #expect(try FileSystemDisk(path: path + "/new/").list() == ["file"])
                try disk.remove("file")
            }
            #expect(try FileSystemDisk(path: path).list() == ["new"])
            let code = unsafe rmdir(path + "/new")
            #expect(code == 0)
        }
    }

    @Test func `a directory that is a file or has no parent is refused with its path`() throws {
        try TemporaryDirectory.with { path in
            let missing = #expect(throws: DiskError.self) { _ = try FileSystemDisk(path: path + "/a/b") }
            #expect(missing?.errno == ENOENT)
            #expect(missing?.path == path + "/a/b")
            _ = try FileSystemDisk(path: path).create("file")
            let file = #expect(throws: DiskError.self) { _ = try FileSystemDisk(path: path + "/file") }
            #expect(file?.errno == ENOTDIR)
        }
    }

    // MARK: Helpers

    private static func withDisk(_ kind: Kind, _ body: (any Disk) throws -> Void) throws {
        switch kind {
        case .faulty: try body(FaultyDisk())
        case .fileSystem: try TemporaryDirectory.with { try body(FileSystemDisk(path: $0)) }
        }
    }

    fileprivate static func read(_ file: any DiskFile, _ count: Int, at offset: Int) throws(DiskError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xEE, count: count)
        var span = bytes.mutableSpan
        // Sound: bytes have no invalid pattern.
        var raw = unsafe span.mutableBytes
        let got = try file.read(into: &raw, at: offset)
        return Array(bytes.prefix(got))
    }

    fileprivate static func code(_ body: () throws(DiskError) -> Void) -> Int32? {
        do {
            try body()
            return nil
        } catch { return error.errno }
    }
}

@Suite struct FaultyDiskTests {
    @Test func `only synced bytes under synced names survive a clean crash`() throws {
        let disk = FaultyDisk()
        let a = try disk.create("a")
        try a.write([1, 2].rawSpan, at: 0)
        try a.sync()
        try disk.syncDirectory()
        try a.write([3, 4].rawSpan, at: 1)
        let b = try disk.create("b")
        try b.write([5].rawSpan, at: 0)
        try b.sync()
        #expect(disk["a"] == [1, 3, 4])
        let crashed = disk.afterCrash(.clean)
        #expect(crashed["a"] == [1, 2])
        #expect(crashed["b"] == nil)
        #expect(disk.afterCrash(Crash(.kept, names: .kept))["a"] == [1, 3, 4])
        #expect(disk.afterCrash(Crash(.dropped, names: .kept))["b"] == [5])
        #expect(disk.afterCrash(Crash(.torn(bytes: 1), names: .dropped))["a"] == [1, 3])
    }

    @Test func `a restart forgets nothing and syncs nothing`() throws {
        let disk = FaultyDisk()
        let file = try disk.create("a")
        try file.write([1].rawSpan, at: 0)
        let restarted = disk.afterRestart()
        #expect(restarted["a"] == [1])
        #expect(restarted.afterCrash(.clean)["a"] == nil)
    }

    @Test func `what a failed sync lost stays lost, however often it is synced again`() throws {
        let disk = FaultyDisk()
        let file = try disk.create("a")
        try disk.syncDirectory()
        try file.write([1, 1, 1].rawSpan, at: 0)
        disk.plan(DiskFault(.error(EIO, isForever: false), at: 0, of: .sync))
        #expect(throws: DiskError.self) { try file.sync() }
        try file.write([2].rawSpan, at: 0)
        try file.sync()
        #expect(disk["a"] == [2, 1, 1])
        #expect(disk.afterCrash(.clean)["a"] == [2])
    }

    @Test func `faults come at the call they were planned for, once or for ever`() throws {
        let disk = FaultyDisk()
        let file = try disk.create("a")
        disk.plan(DiskFault(.error(ENOSPC, isForever: false), at: 1, of: .write))
        try file.write([1, 1].rawSpan, at: 0)
        try file.sync()
        let error = #expect(throws: DiskError.self) { try file.write([2, 2].rawSpan, at: 0) }
        #expect(error?.isFull == true)
        #expect(disk["a"] == [2, 1], "a failing write has written half")
        try file.write([3, 3].rawSpan, at: 0)
        disk.plan(DiskFault(.error(EIO, isForever: true), at: 1))
        #expect(try file.size() == 2)
        for _ in 0..<3 { #expect(throws: DiskError.self) { _ = try file.size() } }
        disk.plan(DiskFault(.powerCut, at: 0))
        #expect(throws: DiskError.self) { try file.write([4, 4].rawSpan, at: 0) }
        #expect(throws: DiskError.self) { try file.write([5, 5].rawSpan, at: 0) }
        #expect(disk.calls == [.write, .write])
        #expect(disk.afterCrash(Crash(.kept, names: .kept))["a"] == [4, 4])
    }

    // MARK: Capacity

    @Test func `a full disk writes what fits, creates nothing, and lets bytes be overwritten`() throws {
        let disk = FaultyDisk()
        disk.capacity = 4
        let a = try disk.create("a")
        try a.write([1, 2, 3].rawSpan, at: 0)
        #expect(throws: DiskError.self) { try a.write([7, 8, 9].rawSpan, at: 2) }
        #expect(disk["a"] == [1, 2, 7, 8])
        #expect(disk.usedBytes == 4)
        let error = #expect(throws: DiskError.self) { _ = try disk.create("b") }
        #expect(error?.isFull == true)
        #expect(disk.names == ["a"])
        try a.write([5, 5].rawSpan, at: 1)
        #expect(disk["a"] == [1, 5, 5, 8])
        #expect(throws: DiskError.self) { try a.truncate(to: 5) }
        #expect(throws: DiskError.self) { try a.write([1].rawSpan, at: 9) }
        #expect(disk["a"] == [1, 5, 5, 8], "neither grown nor given a gap")
    }

    @Test func `space comes back by shrinking, by removing, and by a larger disk`() throws {
        let disk = FaultyDisk()
        disk.capacity = 3
        let a = try disk.create("a")
        try a.write([1, 2, 3].rawSpan, at: 0)
        try a.truncate(to: 1)
        try a.write([4, 5].rawSpan, at: 1)
        #expect(throws: DiskError.self) { try a.write([6].rawSpan, at: 3) }
        disk.capacity = 4
        try a.write([6].rawSpan, at: 3)
        disk.capacity = 2
        try a.write([9].rawSpan, at: 3)
        #expect(throws: DiskError.self) { try a.write([7].rawSpan, at: 4) }
        disk.capacity = 4
        try disk.remove("a")
        #expect(throws: DiskError.self) { _ = try disk.create("b") }
        #expect(disk.afterRestart().usedBytes == 0, "nobody has it open any more")
        withExtendedLifetime(a) {}
    }

    @Test func `a file without a name takes space for as long as it is open`() throws {
        let disk = FaultyDisk()
        do {
            let file = try disk.create("a")
            let again = try disk.open("a")
            try file.write([1, 2].rawSpan, at: 0)
            try disk.remove("a")
            withExtendedLifetime((file, again)) { #expect(disk.usedBytes == 2) }
        }
        #expect(disk.usedBytes == 0)
        disk["b"] = [1, 2, 3]
        #expect(disk.usedBytes == 3)
    }

    @Test func `a crash keeps the capacity`() throws {
        let disk = FaultyDisk()
        disk["a"] = [1, 2, 3]
        disk.capacity = 3
        for next in [disk.afterCrash(.clean), disk.afterRestart()] { #expect(throws: DiskError.self) { _ = try next.create("b") } }
    }

    // MARK: Bits, lies, reads

    @Test func `a flipped bit is seen at once, survives a crash, and is gone once the byte is written again`() throws {
        let disk = FaultyDisk()
        let file = try disk.create("a")
        try disk.syncDirectory()
        try file.write([0, 0, 0].rawSpan, at: 0)
        try file.sync()
        disk.flip("a", byte: 1, bit: 7)
        #expect(disk["a"] == [0, 128, 0])
        #expect(disk.afterCrash(.clean)["a"] == [0, 128, 0])
        try file.write([1].rawSpan, at: 1)
        try file.sync()
        #expect(disk.afterCrash(.clean)["a"] == [0, 1, 0])
    }

    @Test func `a bit flipped before its byte was synced is flipped afterwards as well`() throws {
        let disk = FaultyDisk()
        let file = try disk.create("a")
        try disk.syncDirectory()
        try file.write([0, 0].rawSpan, at: 0)
        try file.write([4].rawSpan, at: 2)
        disk.flip("a", byte: 2, bit: 0)
        try file.sync()
        #expect(disk["a"] == [0, 0, 5])
        #expect(disk.afterCrash(.clean)["a"] == [0, 0, 5])
    }

    @Test(arguments: [false, true])
    func `a lying sync reports success and makes nothing durable, and an honest one later makes up for it`(isForever: Bool) throws {
        let disk = FaultyDisk()
        let file = try disk.create("a")
        try disk.syncDirectory()
        disk.plan(DiskFault(.lie(isForever: isForever), at: 1, of: .sync))
        try file.write([1].rawSpan, at: 0)
        try file.sync()
        try file.write([2].rawSpan, at: 1)
        try file.sync()
        #expect(disk.hasFailed)
        #expect(disk["a"] == [1, 2])
        #expect(disk.afterCrash(.clean)["a"] == [1], "the first sync was honest, the second was not")
        #expect(disk.afterCrash(Crash(.kept, names: .dropped))["a"] == [1, 2])
        try file.sync()
        #expect(disk.afterCrash(.clean)["a"] == (isForever ? [1] : [1, 2]))
    }

    @Test func `a lying sync of the directory leaves names either way`() throws {
        let disk = FaultyDisk()
        let file = try disk.create("a")
        try disk.syncDirectory()
        try file.sync()
        try disk.remove("a")
        _ = try disk.create("b")
        disk.plan(DiskFault(.lie(isForever: false), at: 0, of: .syncDirectory))
        try disk.syncDirectory()
        #expect(disk.names == ["b"])
        #expect(disk.afterCrash(.clean).names == ["a"])
        #expect(disk.afterCrash(Crash(.dropped, names: .kept)).names == ["b"])
        try disk.syncDirectory()
        #expect(disk.afterCrash(.clean).names == ["b"])
    }

    @Test func `a read can fail, and leaves the file as it is`() throws {
        let disk = FaultyDisk()
        let file = try disk.create("a")
        try file.write([1, 2].rawSpan, at: 0)
        disk.plan(DiskFault(.error(EIO, isForever: false), at: 0, of: .read))
        #expect(DiskTests.code { () throws(DiskError) in _ = try DiskTests.read(file, 2, at: 0) } == EIO)
        #expect(try DiskTests.read(file, 2, at: 0) == [1, 2])
    }
}
