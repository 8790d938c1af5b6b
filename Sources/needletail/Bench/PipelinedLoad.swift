// Requests over several connections, each with so many under way: a client that costs next to nothing.
import Engine
import Foundation
import Wire

/// The requests, written beforehand, side by side and asked in turn.
struct PipelinedLoad {
    let connections: Int
    let window: Int
    let requests: Int
    private let lines: [UInt8]
    /// Where each line begins, and where the last one ends.
    private let starts: [Int]

    init(_ data: BenchData, k: Int, effort: SearchEffort, connections: Int, window: Int, requests: Int) throws {
        (self.connections, self.window, self.requests) = (connections, window, requests)
        var lines: [UInt8] = []
        var starts = [0]
        for number in 0..<data.queryCount {
            var request = RequestWriter("search", id: number)
            request.string("collection", InProcess.collection)
            request.int("k", k)
            request.vector("vector", data.query(number))
            effort.write(to: &request)
            lines += request.finish()
            starts.append(lines.count)
        }
        (self.lines, self.starts) = (lines, starts)
    }

    /// What the daemon takes for each request, once it answers as the search in this process does: indexes are checked first.
    func run(on daemon: ServedDaemon, until kind: SearchPlan.Kind) throws -> ServedCost {
        try wait(for: kind, on: daemon)
        var run = Run(self, try (0..<connections).map { _ in try PipelinedConnection(port: daemon.port) })
        for connection in run.sockets.indices { try run.ask(window, on: connection) }
        try run.go(on: min(requests / 4, 5000))
        let (start, processor, took) = (ContinuousClock.now, daemon.processorMicroseconds, run.took)
        let answered = try run.go(on: requests)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        return ServedCost(
            rate: Double(answered) / seconds, processor: (daemon.processorMicroseconds - processor) / Double(answered),
            took: Double(run.took - took) / Double(answered))
    }

    private func wait(for kind: SearchPlan.Kind, on daemon: ServedDaemon) throws {
        let connection = try PipelinedConnection(port: daemon.port)
        for _ in 0..<600 {
            try connection.send(lines[starts[0]..<starts[1]])
            if try Answer(line: connection.line()).root["plan"]?["kind"]?.string == kind.rawValue { return }
            usleep(100_000)
        }
        throw CommandFailure(description: "the daemon does not come to search by its index")
    }

    /// One round under way.
    private struct Run {
        let load: PipelinedLoad
        var sockets: [PipelinedConnection]
        var next = 0
        /// The sum of all `took_us`.
        var took = 0
        private var polls: [pollfd]

        init(_ load: PipelinedLoad, _ sockets: [PipelinedConnection]) {
            self.load = load
            self.sockets = sockets
            polls = sockets.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        }

        /// Sends the next requests, in as few pieces as the end of the queries allows.
        mutating func ask(_ count: Int, on connection: Int) throws {
            var left = count
            while left > 0 {
                let step = min(left, load.starts.count - 1 - next)
                try sockets[connection].send(load.lines[load.starts[next]..<load.starts[next + step]])
                next = (next + step) % (load.starts.count - 1)
                left -= step
            }
        }

        /// Asks anew for each answer, until there have been so many; returns how many there have been.
        @discardableResult
        mutating func go(on count: Int) throws -> Int {
            var answered = 0
            while answered < count {
                // Sound: the array is the kernel's within the call.
                let ready = unsafe polls.withUnsafeMutableBufferPointer { unsafe poll($0.baseAddress, nfds_t($0.count), 10_000) }
                guard ready > 0 else { throw CommandFailure(description: "the daemon has not answered for 10 seconds") }
                for connection in polls.indices where polls[connection].revents != 0 {
                    let (lines, took) = try sockets[connection].receive()
                    answered += lines
                    self.took += took
                    try ask(lines, on: connection)
                }
            }
            return answered
        }
    }
}

/// What a request takes of a daemon.
struct ServedCost {
    /// Requests a second.
    let rate: Double
    /// Microseconds of processor time a request.
    let processor: Double
    /// The mean of `took_us`, which counts what others did in between.
    let took: Double
}

/// A blocking socket that counts answers.
final class PipelinedConnection {
    let descriptor: Int32
    private var received = [UInt8](repeating: 0, count: 1 << 18)
    /// The beginning of a line whose end has not come.
    private var begun = 0

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        // Sound: the address is a whole sockaddr_in, as its length says.
        let failure = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard failure == 0 else { throw CommandFailure(description: "the daemon does not listen on port \(port)") }
        var noDelay: Int32 = 1
        // Sound: one number, of the length given.
        _ = unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(descriptor) }

    /// The daemon reads whatever it is sent as long as its answers are read, and they are: this cannot wait for ever.
    func send(_ bytes: ArraySlice<UInt8>) throws {
        var rest = bytes
        while !rest.isEmpty {
            // Sound: the slice's bytes are read within the call.
            let sent = unsafe rest.withUnsafeBytes { unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { throw CommandFailure(description: "the daemon has closed a connection") }
            rest.removeFirst(sent)
        }
    }

    /// What is there: how many answers, and the sum of their `took_us`.
    func receive() throws -> (lines: Int, took: Int) {
        let end = begun + (try fill())
        var (lines, took, start) = (0, 0, 0)
        while let newline = newline(in: start..<end) {
            took += try self.took(of: start..<newline)
            lines += 1
            start = newline + 1
        }
        begun = end - start
        // Sound: both stretches lie within the buffer.
        if start > 0, begun > 0 { unsafe received.withUnsafeMutableBytes { unsafe _ = memmove($0.baseAddress!, $0.baseAddress! + start, end - start) } }
        return (lines, took)
    }

    /// One answer, of a connection that has asked for one.
    func line() throws -> [UInt8] {
        while begun == 0 || received[begun - 1] != UInt8(ascii: "\n") { begun += try fill() }
        defer { begun = 0 }
        return Array(received[..<(begun - 1)])
    }

    private func fill() throws -> Int {
        // Sound: at most as many bytes are received as there is room behind what has begun.
        let count = unsafe received.withUnsafeMutableBytes { [begun] in
            unsafe recv(descriptor, $0.baseAddress.map { unsafe $0 + begun }, $0.count - begun, 0)
        }
        guard count > 0 else { throw CommandFailure(description: "the daemon has closed a connection") }
        return count
    }

    private func newline(in range: Range<Int>) -> Int? {
        unsafe received.withUnsafeBytes { bytes in
            // Sound: the range lies within the buffer, and what memchr finds lies in the range.
            guard let start = bytes.baseAddress, let found = unsafe memchr(start + range.lowerBound, 0x0A, range.count) else { return nil }
            return unsafe UnsafeRawPointer(found) - start
        }
    }

    /// Every answer ends with the time it took: `"took_us":58}`. One that does not is none.
    private func took(of line: Range<Int>) throws -> Int {
        var at = line.upperBound - 2
        var (took, scale) = (0, 1)
        while at > line.lowerBound, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(received[at]) {
            took += scale * Int(received[at] - UInt8(ascii: "0"))
            scale *= 10
            at -= 1
        }
        guard scale > 1, received[at] == UInt8(ascii: ":") else {
            throw CommandFailure(description: "the daemon answered \(String(decoding: received[line], as: UTF8.self))")
        }
        return took
    }
}
