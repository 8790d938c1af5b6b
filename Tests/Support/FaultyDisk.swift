// A disk in memory that fails when it is told to, and forgets what was not synced when its power is cut.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Memory
package import Storage
import Synchronization

/// The calls of `Disk` and `DiskFile`.
package enum DiskCall: String, CaseIterable, Sendable {
    case list, create, open, remove, syncDirectory, lock, size, read, map, write, sync, truncate
}

/// What is to go wrong, and when.
package struct DiskFault: Sendable {
    package enum Effect: Equatable, Sendable {
        /// The call fails, and with `isForever` every later one that matches. A failing write has written half; a
        /// failing sync has synced nothing, and like Linux's it leaves the lost data looking synced.
        case error(Int32, isForever: Bool)
        /// The call and everything after it fails. What it was about to write is left unsynced.
        case powerCut
        /// The sync, and with `isForever` every later one that matches, reports success and makes nothing durable: a
        /// device that keeps its cache to itself. An honest sync later makes up for it.
        case lie(isForever: Bool)

        var isForever: Bool {
            switch self {
            case .error(_, let isForever), .lie(let isForever): isForever
            case .powerCut: false
            }
        }
    }

    /// Which call, counted from 0.
    package var index: Int
    /// The kind of call that is counted and fails; nil counts all.
    package var kind: DiskCall?
    package var effect: Effect

    package init(_ effect: Effect, at index: Int, of kind: DiskCall? = nil) {
        if case .lie = effect { precondition(kind == .sync || kind == .syncDirectory, "only a sync can lie: of other calls the outcome is seen") }
        self.effect = effect
        self.index = index
        self.kind = kind
    }
}

/// What of the unsynced is found again after the power comes back.
package struct Crash: Sendable, CustomStringConvertible {
    package enum Data: Sendable {
        case dropped
        case kept
        /// Writes took effect in order until so many bytes were written.
        case torn(bytes: Int)
        /// Every 16 bytes of every write took effect or did not, independently.
        case scattered(seed: UInt64)
    }

    package enum Names: Sendable, CaseIterable { case dropped, kept }

    package var data: Data
    package var names: Names

    package init(_ data: Data, names: Names) {
        self.data = data
        self.names = names
    }

    package var description: String { "data \(data), names \(names)" }

    /// Everything unsynced gone, as after pulling the plug.
    package static let clean = Crash(.dropped, names: .dropped)
}

/// A directory in memory. Live and durable bytes and names are kept apart; `sync` and `syncDirectory` carry
/// the one over into the other. A crash or a restart gives a new disk; whoever still writes to the old one
/// writes to nobody.
package final class FaultyDisk: Disk {
    package let path = "/faulty"
    private let state: Mutex<State>

    package init() { state = Mutex(State()) }
    fileprivate init(_ directory: Directory) { state = Mutex(State(directory: directory)) }

    // MARK: What tests do to it

    /// Counts calls from here on, and lets this one go wrong.
    package func plan(_ fault: DiskFault?) {
        state.withLock {
            $0.fault = fault
            $0.calls = []
            $0.matching = 0
            $0.isDown = false
        }
    }

    /// Calls since the last `plan`.
    package var calls: [DiskCall] { state.withLock { $0.calls } }
    /// Whether the planned fault has come about.
    package var hasFailed: Bool { state.withLock { $0.hasFailed } }

    /// The same machine after its power failed.
    package func afterCrash(_ crash: Crash) -> FaultyDisk {
        FaultyDisk(state.withLock { $0.directory.crashed(crash) })
    }

    /// The same machine with the process gone: unsynced data is still in the page cache, and still unsynced.
    package func afterRestart() -> FaultyDisk {
        FaultyDisk(state.withLock { $0.directory.unlocked() })
    }

    /// The lock's holder is gone, and nothing else has changed: another process on the same machine.
    package func unlock() { state.withLock { $0.directory.isLocked = false } }

    /// How many bytes of writes are not synced: where `torn` can tear.
    package var unsyncedBytes: Int { state.withLock { $0.directory.unsyncedBytes } }
    package var names: [String] { state.withLock { $0.directory.liveNames.keys.sorted() } }

    /// How many bytes there is space for; nil is no bound. Files count that have a name or are open, with their live
    /// bytes. On a full disk nothing is created and no file grows; bytes that are there can be overwritten.
    package var capacity: Int? {
        get { state.withLock { $0.directory.capacity } }
        set { state.withLock { $0.directory.capacity = newValue } }
    }

    /// The bytes that count against the capacity.
    package var usedBytes: Int { state.withLock { $0.directory.usedBytes } }

    /// Turns one bit over behind everybody's back, on the device, in the page cache and on the way between them.
    package func flip(_ name: String, byte: Int, bit: Int) {
        state.withLock { state in
            guard let number = state.directory.liveNames[name] else { preconditionFailure("there is a file \(name)") }
            state.directory.files[number]!.flip(byte, bit)  // Names have files.
        }
    }

    /// A file's bytes. Setting them changes, adds or (nil) removes the file behind everybody's back, durably.
    package subscript(name: String) -> [UInt8]? {
        get { state.withLock { state in state.directory.liveNames[name].map { state.directory.files[$0]!.live } } }  // Names have files.
        set { state.withLock { $0.directory.replace(name, with: newValue) } }
    }

    // MARK: Disk

    package func list() throws(DiskError) -> [String] {
        try call(.list) { directory in directory.liveNames.keys.sorted() }
    }

    package func create(_ name: String) throws(DiskError) -> any DiskFile {
        let number = try call(.create, name) { directory throws(DiskError) in try directory.create(name) }
        return FaultyFile(name: name, number: number, disk: self)
    }

    package func open(_ name: String) throws(DiskError) -> any DiskFile {
        let number = try call(.open, name) { directory throws(DiskError) in try directory.number(of: name) }
        return FaultyFile(name: name, number: number, disk: self)
    }

    package func remove(_ name: String) throws(DiskError) {
        try call(.remove, name) { directory throws(DiskError) in
            _ = try directory.number(of: name)
            directory.liveNames[name] = nil
        }
    }

    package func syncDirectory() throws(DiskError) {
        try call(.syncDirectory) { directory in directory.durableNames = directory.liveNames }
    }

    package func lock() throws(DiskError) {
        try call(.lock) { directory throws(DiskError) in
            guard !directory.isLocked else { throw DiskError(.lock, "", EWOULDBLOCK) }
            directory.isLocked = true
        }
    }

    fileprivate func opened(_ number: Int) { state.withLock { $0.directory.holders[number, default: 0] += 1 } }
    fileprivate func closed(_ number: Int) { state.withLock { $0.directory.holders[number]! -= 1 } }  // It was opened.

    /// Does the call, unless its time has come: then `failing` says what it still does before it fails.
    fileprivate func call<T>(
        _ kind: DiskCall, _ name: String = "", failing: (inout Directory, DiskFault.Effect) -> Void = { _, _ in },
        _ body: (inout Directory) throws(DiskError) -> T
    ) throws(DiskError) -> T {
        try state.withLock { state throws(DiskError) in
            if let effect = state.effect(onNext: kind) {
                if case .lie = effect {
                    // Done to a copy, it reports what it would, and nothing has happened.
                    var elsewhere = state.directory
                    return try body(&elsewhere)
                }
                if !state.wasDown { failing(&state.directory, effect) }
                let code = if case .error(let code, _) = effect { code } else { EIO }
                throw DiskError(kind, name, code)
            }
            return try body(&state.directory)
        }
    }

    private struct State {
        var directory = Directory()
        var calls: [DiskCall] = []
        var fault: DiskFault?
        var matching = 0
        var isDown = false
        /// Whether the power was gone before the call at hand.
        var wasDown = false
        var hasFailed = false

        mutating func effect(onNext kind: DiskCall) -> DiskFault.Effect? {
            calls.append(kind)
            wasDown = isDown
            if isDown { return .powerCut }
            guard let fault, fault.kind == nil || fault.kind == kind else { return nil }
            defer { matching += 1 }
            guard fault.effect.isForever ? matching >= fault.index : matching == fault.index else { return nil }
            hasFailed = true
            isDown = fault.effect == .powerCut
            return fault.effect
        }
    }
}

/// A file of a `FaultyDisk`. Reads see what is live, as through a page cache.
private final class FaultyFile: DiskFile {
    let name: String
    private let number: Int
    private let disk: FaultyDisk

    init(name: String, number: Int, disk: FaultyDisk) {
        self.name = name
        self.number = number
        self.disk = disk
        disk.opened(number)
    }

    deinit { disk.closed(number) }

    func size() throws(DiskError) -> Int {
        try disk.call(.size, name) { directory in directory.files[number]!.live.count }  // Files outlive their names.
    }

    func read(into target: inout MutableRawSpan, at offset: Int) throws(DiskError) -> Int {
        let live = try disk.call(.read, name) { directory in directory.files[number]!.live }  // As above.
        let count = max(0, min(target.byteCount, live.count - offset))
        // Sound: both hold `count` bytes from there on, and are not the same memory.
        unsafe target.withUnsafeMutableBytes { bytes in
            unsafe live.withUnsafeBytes { source in
                if count > 0 { unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[offset..<offset + count])) }
            }
        }
        return count
    }

    /// A copy: what is written later does not show through, which it must not be asked to.
    func map() throws(DiskError) -> MappedBytes {
        let live = try disk.call(.map, name) { directory in directory.files[number]!.live }  // Files outlive their names.
        return MappedBytes(copying: live.rawSpan)
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(DiskError) {
        // Sound: copied before the closure ends.
        let bytes = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
        let failing = { (directory: inout Directory, effect: DiskFault.Effect) in
            directory.change(self.number, .write(effect == .powerCut ? bytes : Array(bytes.prefix(bytes.count / 2)), at: offset))
        }
        try disk.call(.write, name, failing: failing) { directory throws(DiskError) in
            let fitting = directory.fittingBytes(of: bytes.count, in: number, at: offset)
            directory.change(number, .write(Array(bytes.prefix(fitting)), at: offset))
            guard fitting == bytes.count else { throw DiskError(.write, name, ENOSPC) }
        }
    }

    func sync() throws(DiskError) {
        let failing = { (directory: inout Directory, effect: DiskFault.Effect) in
            if case .error = effect { directory.files[self.number]!.loseUnsynced() }  // As above.
        }
        try disk.call(.sync, name, failing: failing) { directory in directory.files[number]!.sync() }  // As above.
    }

    func truncate(to byteCount: Int) throws(DiskError) {
        let failing = { (directory: inout Directory, effect: DiskFault.Effect) in
            if effect == .powerCut { directory.change(self.number, .resize(byteCount)) }
        }
        try disk.call(.truncate, name, failing: failing) { directory throws(DiskError) in
            let grown = byteCount - directory.files[number]!.live.count  // Files outlive their names.
            guard grown <= 0 || grown <= directory.freeBytes else { throw DiskError(.truncate, name, ENOSPC) }
            directory.change(number, .resize(byteCount))
        }
    }
}

/// A change of a file's bytes.
private enum Change {
    case write([UInt8], at: Int)
    case resize(Int)

    var byteCount: Int { if case .write(let bytes, _) = self { bytes.count } else { 0 } }

    func apply(to bytes: inout [UInt8]) {
        switch self {
        case .resize(let count):
            if count < bytes.count { bytes.removeLast(bytes.count - count) }
            if count > bytes.count { bytes += [UInt8](repeating: 0, count: count - bytes.count) }
        case .write(let new, let offset):
            guard !new.isEmpty else { return }
            if bytes.count < offset + new.count { Change.resize(offset + new.count).apply(to: &bytes) }
            // Sound: it was made long enough. Not `replaceSubrange`: half of what tests of crashes take, when not optimised.
            unsafe bytes.withUnsafeMutableBytes { target in
                unsafe new.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(rebasing: target[offset...]).copyMemory(from: $0) }
            }
        }
    }

    /// The change with one bit of the file turned over, where it writes that bit.
    func flipped(_ byte: Int, _ bit: Int) -> Change {
        guard case .write(var bytes, let offset) = self, bytes.indices.contains(byte - offset) else { return self }
        bytes[byte - offset] ^= 1 << bit
        return .write(bytes, at: offset)
    }

    /// The first `count` bytes of a write.
    func torn(to count: Int) -> Change {
        if case .write(let bytes, let offset) = self { .write(Array(bytes.prefix(count)), at: offset) } else { self }
    }

    /// A write in pieces that a device may store in any order.
    var pieces: [Change] {
        guard case .write(let bytes, let offset) = self else { return [self] }
        return stride(from: 0, to: bytes.count, by: 16).map { start in
            .write(Array(bytes[start..<min(start + 16, bytes.count)]), at: offset + start)
        }
    }
}

/// Bytes as readers see them, bytes as the device has them, and what lies between.
private struct StoredFile {
    var live: [UInt8] = []
    var durable: [UInt8] = []
    /// With the directory-wide order of each change.
    var unsynced: [(order: Int, change: Change)] = []
    /// A failed sync leaves changes that no later sync makes durable, though readers see them.
    private var lostCount = 0

    init(_ bytes: [UInt8] = []) {
        live = bytes
        durable = bytes
    }

    mutating func sync() {
        for (_, change) in unsynced.dropFirst(lostCount) { change.apply(to: &durable) }
        unsynced = []
        lostCount = 0
    }

    mutating func loseUnsynced() { lostCount = unsynced.count }

    mutating func flip(_ byte: Int, _ bit: Int) {
        precondition((0..<8).contains(bit) && live.indices.contains(byte), "the bit is one of the file")
        live[byte] ^= 1 << bit
        if durable.indices.contains(byte) { durable[byte] ^= 1 << bit }
        unsynced = unsynced.map { ($0.order, $0.change.flipped(byte, bit)) }
    }
}

private struct Directory {
    var files: [Int: StoredFile] = [:]
    var liveNames: [String: Int] = [:]
    var durableNames: [String: Int] = [:]
    var isLocked = false
    /// How often each file is open.
    var holders: [Int: Int] = [:]
    var capacity: Int?
    private var nextNumber = 0
    private var changeCount = 0

    mutating func create(_ name: String) throws(DiskError) -> Int {
        guard liveNames[name] == nil else { throw DiskError(.create, name, EEXIST) }
        guard freeBytes > 0 else { throw DiskError(.create, name, ENOSPC) }
        nextNumber += 1
        files[nextNumber] = StoredFile()
        liveNames[name] = nextNumber
        return nextNumber
    }

    func number(of name: String) throws(DiskError) -> Int {
        guard let number = liveNames[name] else { throw DiskError(.open, name, ENOENT) }
        return number
    }

    mutating func change(_ number: Int, _ change: Change) {
        changeCount += 1
        change.apply(to: &files[number]!.live)  // Files outlive their names.
        files[number]!.unsynced.append((changeCount, change))
    }

    var usedBytes: Int {
        let named = Set(liveNames.values)
        return files.reduce(0) { $0 + (named.contains($1.key) || holders[$1.key, default: 0] > 0 ? $1.value.live.count : 0) }
    }

    /// None where more is used than there is space for.
    var freeBytes: Int { capacity.map { max(0, $0 - usedBytes) } ?? .max }

    /// How many of a write's bytes there is space for. A gap that it leaves before it takes space as well.
    func fittingBytes(of count: Int, in number: Int, at offset: Int) -> Int {
        guard capacity != nil else { return count }
        return max(0, min(count, files[number]!.live.count + freeBytes - offset))  // Files outlive their names.
    }

    mutating func replace(_ name: String, with bytes: [UInt8]?) {
        guard let bytes else {
            liveNames[name] = nil
            durableNames[name] = nil
            return
        }
        let number = liveNames[name] ?? nextNumber + 1
        nextNumber = max(nextNumber, number)
        files[number] = StoredFile(bytes)
        liveNames[name] = number
        durableNames[name] = number
    }

    var unsyncedBytes: Int { files.values.reduce(0) { $0 + $1.unsynced.reduce(0) { $0 + $1.change.byteCount } } }

    func unlocked() -> Directory {
        var next = self
        next.isLocked = false
        next.holders = [:]
        return next
    }

    func crashed(_ crash: Crash) -> Directory {
        var next = unlocked()
        for number in files.keys {
            next.files[number]!.live = next.files[number]!.durable  // The keys are those of a copy.
            next.files[number]!.unsynced = []
        }
        let changes = files.flatMap { number, file in file.unsynced.map { (number, $0.order, $0.change) } }.sorted { $0.1 < $1.1 }
        for (number, change) in Self.surviving(changes.map { ($0.0, $0.2) }, crash.data) {
            change.apply(to: &next.files[number]!.live)  // As above.
        }
        for number in files.keys { next.files[number] = StoredFile(next.files[number]!.live) }  // As above.
        next.liveNames = crash.names == .kept ? liveNames : durableNames
        next.durableNames = next.liveNames
        return next
    }

    private static func surviving(_ changes: [(Int, Change)], _ data: Crash.Data) -> [(Int, Change)] {
        switch data {
        case .dropped: return []
        case .kept: return changes
        case .torn(var bytes):
            var survivors: [(Int, Change)] = []
            for (number, change) in changes {
                survivors.append((number, change.torn(to: bytes)))
                bytes -= change.byteCount
                if bytes < 0 { break }
            }
            return survivors
        case .scattered(let seed):
            var random = SeededRandom(seed: seed)
            return changes.flatMap { number, change in change.pieces.map { (number, $0) } }.filter { _ in Bool.random(using: &random) }
        }
    }
}

extension DiskError {
    fileprivate init(_ call: DiskCall, _ name: String, _ code: Int32) {
        self.init(operation: call.rawValue, path: "/faulty/" + name, errno: code, reason: "injected")
    }
}
