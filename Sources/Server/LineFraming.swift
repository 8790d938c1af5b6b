// Bytes off a socket into lines: each byte looked at once, whole lines never copied.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import NIOCore
import Wire

/// Cuts the inbound stream at newlines and hands a read's lines to the session together.
///
/// A line that lies within one read is a slice of it; only one that spans reads is gathered. The newline, and a
/// carriage return before it, are left out.
final class LineFraming: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let session: Session
    /// The line begun in earlier reads, without its newline.
    private var begun: ByteBuffer?
    private var beganAt = NIODeadline.now()
    /// Whether a timer is under way. It outlives the line that it was set for: lines that span reads are thousands a second.
    private var isWatching = false
    /// After an over-long line nothing more is read: where the next one begins cannot be known.
    private var isDeaf = false

    init(session: Session) { self.session = session }

    /// Ends connections that hold a place without saying whose they are.
    func channelActive(context: ChannelHandlerContext) {
        if !session.isKnown {
            context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(Int64(ServerLimits.helloSeconds))) { [self] in
                guard !isDeaf, !session.isKnown else { return }
                stopListening()
                session.refuse(.unauthenticated("say hello with a token within \(ServerLimits.helloSeconds) s"))
            }
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDeaf else { return }
        let lineBytesMax = session.isKnown ? WireLimits.lineBytesMax : WireLimits.strangerLineBytesMax
        var bytes = unwrapInboundIn(data)
        var lines: [ByteBuffer] = []
        while let length = bytes.lengthOfLine {
            guard (begun?.readableBytes ?? 0) + length <= lineBytesMax else { return refuseLine(after: lines, lineBytesMax) }
            guard let part = bytes.readSlice(length: length) else { preconditionFailure("the newline was found behind these bytes") }
            bytes.moveReaderIndex(forwardBy: 1)
            lines.append(finishLine(with: part))
        }
        if bytes.readableBytes > 0 { begin(bytes, context) }
        if let begun, begun.readableBytes > lineBytesMax { return refuseLine(after: lines, lineBytesMax) }
        if !lines.isEmpty { session.received(lines) }
    }

    private func finishLine(with part: ByteBuffer) -> ByteBuffer {
        var line = part
        if var whole = begun.take() {
            whole.writeImmutableBuffer(part)
            line = whole
        }
        if line.readableBytesView.last == UInt8(ascii: "\r") { line.moveWriterIndex(to: line.writerIndex - 1) }
        return line
    }

    private func begin(_ rest: ByteBuffer, _ context: ChannelHandlerContext) {
        if begun == nil {
            // A copy, so that this small rest does not keep the whole read alive, nor is copied again as it grows.
            begun = context.channel.allocator.buffer(capacity: max(4096, rest.readableBytes))
            beganAt = .now()
            if !isWatching { watchLine(context, after: patience) }
        }
        begun?.writeImmutableBuffer(rest)
    }

    /// What stands before the line in the same read is answered all the same.
    private func refuseLine(after lines: [ByteBuffer], _ lineBytesMax: Int) {
        if !lines.isEmpty { session.received(lines) }
        stopListening()
        session.refuse(.lineTooLong(lineBytesMax))
    }

    private func stopListening() {
        isDeaf = true
        begun = nil
    }

    private var patience: TimeAmount { .seconds(Int64(session.patienceSeconds)) }

    /// Ends connections that hold a place with a line that never ends.
    private func watchLine(_ context: ChannelHandlerContext, after wait: TimeAmount) {
        isWatching = true
        context.eventLoop.assumeIsolated().scheduleTask(in: wait) { [self] in
            isWatching = false
            guard let begun else { return }
            // Held back by us, it could not go on: its time begins anew.
            if session.isReadingPaused { beganAt = .now() }
            let age = NIODeadline.now() - beganAt
            // Set for an earlier line, the timer is early for this one.
            guard age >= patience else { return watchLine(context, after: patience - age) }
            guard begun.readableBytes < Int(age.nanoseconds / 1_000_000_000) * ServerLimits.lineBytesPerSecondMin else {
                return watchLine(context, after: patience)
            }
            stopListening()
            session.refuse(WireError(code: "too_slow", message: "a line must be complete within \(session.patienceSeconds) s or keep \(ServerLimits.lineBytesPerSecondMin) bytes a second", retry: "later"))
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            // People forget the last newline: what came before the end of the stream is a line.
            if let last = begun.take(), !isDeaf { session.received([last]) }
            session.inputEnded()
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        stopListening()
        session.closed()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The peer's reset, mostly. Nothing can be answered on this connection any more.
        session.closed()
        context.close(promise: nil)
    }
}

extension ByteBuffer {
    /// How many bytes stand before the first newline. A vector is thousands of bytes without one, so it is looked for the fast way.
    fileprivate var lengthOfLine: Int? {
        unsafe withUnsafeReadableBytes { bytes in
            // Sound: memchr looks within the readable bytes, and what it finds lies there.
            guard let start = bytes.baseAddress, let newline = unsafe memchr(start, Int32(UInt8(ascii: "\n")), bytes.count) else { return nil }
            return unsafe UnsafeRawPointer(newline) - start
        }
    }
}
