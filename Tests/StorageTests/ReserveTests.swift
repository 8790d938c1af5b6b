// Space held back: taken, given up, and taken again, on disks that are full or failing at every call.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Memory
import Storage
import Testing
import TestSupport

@Suite struct ReserveTests {
    private static let bytes = 3000

    @Test func `the space is written, synced under a synced name, and found again`() throws {
        let disk = FaultyDisk()
        #expect(try Reserve(disk: disk, bytes: Self.bytes).isIntact)
        let crashed = disk.afterCrash(.clean)
        #expect(crashed["reserve"] == [UInt8](repeating: 0, count: Self.bytes))
        crashed.plan(nil)
        #expect(try Reserve(disk: crashed, bytes: Self.bytes).isIntact)
        #expect(!crashed.calls.contains(.write) && !crashed.calls.contains(.create))
    }

    @Test func `a reserve of megabytes is written in parts`() throws {
        let disk = FaultyDisk()
        #expect(try Reserve(disk: disk, bytes: (2 << 20) + 5).isIntact)
        #expect(disk["reserve"]?.count == (2 << 20) + 5)
        #expect(disk.calls.filter { $0 == .write }.count == 3)
    }

    @Test func `giving it up removes it for good, once, and it can be taken again`() throws {
        let disk = FaultyDisk()
        let reserve = try Reserve(disk: disk, bytes: Self.bytes)
        #expect(try reserve.release())
        #expect(!reserve.isIntact)
        #expect(disk.names == [] && disk.afterCrash(.clean).names == [])
        #expect(try !reserve.release())
        #expect(try reserve.restore())
        #expect(reserve.isIntact && disk.afterCrash(.clean)["reserve"]?.count == Self.bytes)
        #expect(try reserve.restore())
    }

    @Test func `one of another size is replaced`() throws {
        for count in [0, 1, Self.bytes - 1, Self.bytes + 1] {
            let disk = FaultyDisk()
            disk["reserve"] = [UInt8](repeating: 0, count: count)
            #expect(try Reserve(disk: disk, bytes: Self.bytes).isIntact)
            #expect(disk["reserve"]?.count == Self.bytes)
        }
    }

    @Test func `a disk too full for it is no error, and leaves no half of it`() throws {
        for kind in [.create, .write, .sync, .syncDirectory] as [DiskCall] {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.error(ENOSPC, isForever: true), at: 0, of: kind))
            let reserve = try Reserve(disk: disk, bytes: Self.bytes)
            #expect(!reserve.isIntact && disk.hasFailed && disk.names == [], "\(kind)")
            for _ in 0..<2 { #expect(try !reserve.restore()) }
            #expect(try !reserve.release())
            disk.plan(nil)
            #expect(try reserve.restore() && disk["reserve"]?.count == Self.bytes)
        }
    }

    @Test func `a failing disk is an error at every call, and none is taken for intact that is not`() throws {
        for index in 0..<100 {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.error(EIO, isForever: false), at: index))
            do throws(DiskError) {
                let reserve = try Reserve(disk: disk, bytes: Self.bytes)
                _ = try reserve.release()
                _ = try reserve.restore()
                #expect(!disk.hasFailed && reserve.isIntact)
                return
            } catch { #expect(disk.hasFailed && error.errno == EIO) }
            #expect(try Reserve(disk: disk.afterRestart(), bytes: Self.bytes).isIntact)
        }
        Issue.record("the run never ended")
    }

    @Test func `the power may be cut at any call, and the space is there after the next open`() throws {
        for index in 0..<100 {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.powerCut, at: index))
            do throws(DiskError) {
                let reserve = try Reserve(disk: disk, bytes: Self.bytes)
                _ = try reserve.release()
                _ = try reserve.restore()
            } catch { #expect(disk.hasFailed) }
            for crash in [.clean, Crash(.kept, names: .kept), Crash(.dropped, names: .kept), Crash(.torn(bytes: 1000), names: .kept)] {
                let crashed = disk.afterCrash(crash)
                #expect(try Reserve(disk: crashed, bytes: Self.bytes).isIntact)
                #expect(crashed.afterCrash(.clean)["reserve"]?.count == Self.bytes, "call \(index), \(crash)")
            }
            if !disk.hasFailed { return }
        }
        Issue.record("the run never ended")
    }
}
