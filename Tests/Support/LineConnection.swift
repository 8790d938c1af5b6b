// A plain socket to a daemon: nothing of ours between a test and the bytes.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What a socket call came to when it was not what the test wanted.
package struct SocketError: Error, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }

    fileprivate init(lastOf call: String) {
        let code = errno
        // Sound: strerror returns a NUL-terminated text.
        description = "\(call): \(unsafe String(cString: strerror(code))) (errno \(code))"
    }
}

/// A connection to 127.0.0.1 that sends bytes as they are and receives lines. Every wait is bounded: what does not
/// come within `patienceSeconds` is an error, so that a daemon that says nothing fails a test instead of hanging it.
package final class LineConnection {
    private let descriptor: Int32
    /// Bytes received and not yet returned as lines, from `lineStart` on.
    private var received: [UInt8] = []
    private var lineStart = 0
    private var scratch = [UInt8](repeating: 0, count: 64 << 10)
    private static let patienceSeconds = 30

    /// A small receive buffer makes for a peer that soon stops taking what it does not read.
    package init(port: Int, receiveBufferBytes: Int? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if descriptor < 0 { throw SocketError(lastOf: "socket") }
        if let receiveBufferBytes { try set(SOL_SOCKET, SO_RCVBUF, Int32(receiveBufferBytes)) }
        try set(Int32(IPPROTO_TCP), TCP_NODELAY, Int32(1))
        try set(SOL_SOCKET, SO_RCVTIMEO, timeval(tv_sec: Self.patienceSeconds, tv_usec: 0))
        try set(SOL_SOCKET, SO_SNDTIMEO, timeval(tv_sec: Self.patienceSeconds, tv_usec: 0))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        // Sound: an IPv4 address is passed with its own length.
        let code = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code != 0 { throw SocketError(lastOf: "connect to port \(port)") }
    }

    deinit { close(descriptor) }

    private func set<T: BitwiseCopyable>(_ level: Int32, _ name: Int32, _ value: T) throws {
        var value = value
        // Sound: the option is read within the call, from a value of the size that is passed.
        let code = unsafe setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<T>.size))
        if code != 0 { throw SocketError(lastOf: "setsockopt \(name)") }
    }

    // MARK: Sending

    package func send(_ bytes: [UInt8]) throws {
        var done = 0
        while done < bytes.count {
            // Sound: reads within the array. No signal where the peer is gone: the error is what a test looks at.
            let sent = unsafe bytes.withUnsafeBytes { unsafe Glibc.send(descriptor, $0.baseAddress! + done, $0.count - done, Int32(MSG_NOSIGNAL)) }
            if sent < 0 {
                if errno == EINTR { continue }
                throw SocketError(lastOf: "send")
            }
            done += sent
        }
    }

    package func send(_ text: String) throws { try send(Array(text.utf8)) }
    package func sendLine(_ text: String) throws { try send(text + "\n") }

    /// Says that nothing more will come; answers can still be received.
    package func finishSending() throws {
        if shutdown(descriptor, Int32(SHUT_WR)) != 0 { throw SocketError(lastOf: "shutdown") }
    }

    // MARK: Receiving

    /// The next line without its newline, or nil where the daemon has closed the connection.
    ///
    /// A reset counts as an end: what the daemon had sent before it has been returned.
    package func receiveLine() throws -> String? {
        var searched = lineStart
        while true {
            if let newline = newline(from: searched) {
                defer { forget(through: newline) }
                return String(decoding: received[lineStart..<newline], as: UTF8.self)
            }
            searched = received.count
            guard try receiveMore() else { return nil }
        }
    }

    /// The next line where it has come already; nil where not, without waiting for it.
    package func receiveReadyLine() throws -> String? {
        while newline(from: lineStart) == nil { guard try receiveMore(flags: Int32(MSG_DONTWAIT)) else { return nil } }
        return try receiveLine()
    }

    private func newline(from start: Int) -> Int? {
        // Sound: searches within the array. (The C function because an unoptimised loop over megabytes takes seconds.)
        unsafe received.withUnsafeBytes { bytes in
            guard start < bytes.count, let found = unsafe memchr(bytes.baseAddress! + start, 10, bytes.count - start) else { return nil }
            return unsafe UnsafeRawPointer(found) - bytes.baseAddress!
        }
    }

    private func forget(through newline: Int) {
        lineStart = newline + 1
        if lineStart == received.count || lineStart > 1 << 20 {
            received.removeFirst(lineStart)
            lineStart = 0
        }
    }

    /// False where nothing more comes, or with `MSG_DONTWAIT` nothing is there yet.
    private func receiveMore(flags: Int32 = 0) throws -> Bool {
        // Sound: the call writes at most as many bytes as there are.
        let count = unsafe scratch.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, flags) }
        // Sound: as many bytes as the call has just written.
        if count > 0 { unsafe scratch.withUnsafeBytes { unsafe received.append(contentsOf: $0.prefix(count)) } }
        if count >= 0 { return count > 0 }
        switch errno {
        case EINTR: return true
        case ECONNRESET: return false
        case EAGAIN where flags != 0: return false
        case EAGAIN: throw SocketError("nothing came for \(Self.patienceSeconds) s")
        default: throw SocketError(lastOf: "recv")
        }
    }

    /// Sends one line and returns the next that comes.
    package func ask(_ line: String) throws -> String {
        try sendLine(line)
        guard let answer = try receiveLine() else { throw SocketError("closed instead of an answer to \(line.prefix(200))") }
        return answer
    }
}
