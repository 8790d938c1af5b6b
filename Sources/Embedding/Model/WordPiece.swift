// Cuts a text into the model's tokens: the uncased BERT WordPiece rules, in one pass over the bytes.

/// Takes the tokens of a text, one after the other.
protocol TokenSink: ~Copyable {
    mutating func take(_ id: UInt32)
}

/// The tokenizer. Four rules, of which `Folding` holds the first three in a table:
///
/// 1. controls are dropped, all spaces are alike, ideographs stand alone;
/// 2. letters lose their marks and their case;
/// 3. words end at spaces, and each punctuation scalar is a word;
/// 4. a word is cut into the longest known prefix, the longest known continuation, and so on; one that cannot be cut
///    to its end, or has over 100 scalars, is one unknown token.
///
/// Nothing is allocated: the word under way and its pieces live on the stack.
struct WordPiece: Sendable {
    private let vocabulary = Vocabulary()
    private let folding = Folding()
    private let ascii: ASCIIFolding

    init() {
        ascii = ASCIIFolding(folding)
    }

    /// Hands the tokens of `text`, UTF-8 as in a `String`, to `sink`.
    func tokens<Sink: TokenSink & ~Copyable>(of text: Span<UInt8>, into sink: inout Sink) {
        var word = WordBuffer()
        var position = 0
        while position < text.count {
            let byte = text[position]
            if byte < 0x80 {
                position &+= 1
                takeASCII(byte, &word, &sink)
            } else {
                position = takeScalar(at: position, in: text, &word, &sink)
            }
        }
        endWord(&word, &sink)
    }

    /// The plain twin of `tokens(of:into:)`, which treats ASCII like any other scalar; tests compare the two.
    func tokensByScalar<Sink: TokenSink & ~Copyable>(of text: Span<UInt8>, into sink: inout Sink) {
        var word = WordBuffer()
        var position = 0
        while position < text.count {
            position = takeScalar(at: position, in: text, &word, &sink)
        }
        endWord(&word, &sink)
    }

    @inline(__always)
    private func takeASCII<Sink: TokenSink & ~Copyable>(_ byte: UInt8, _ word: inout WordBuffer, _ sink: inout Sink) {
        switch ascii.folded[Int(byte)] {
        case ASCIIFolding.drop:
            break
        case ASCIIFolding.space:
            endWord(&word, &sink)
        case ASCIIFolding.alone:
            endWord(&word, &sink)
            word.append(ascii: byte)
            endWord(&word, &sink)
        case let letter:
            word.append(ascii: letter)
        }
    }

    /// Takes one scalar and answers where the next one starts.
    private func takeScalar<Sink: TokenSink & ~Copyable>(
        at position: Int, in text: Span<UInt8>, _ word: inout WordBuffer, _ sink: inout Sink
    ) -> Int {
        let (scalar, next) = UTF8Walk.scalar(at: position, in: text)
        let (kind, payload) = folding(scalar)
        switch kind {
        case .drop:
            break
        case .space:
            endWord(&word, &sink)
        case .letter:
            word.append(payload)
        case .alone:
            endWord(&word, &sink)
            word.append(payload)
            endWord(&word, &sink)
        case .hangul:
            append(Folding.hangul(scalar), to: &word)
        case .sequence:
            append(folding.sequence(payload), to: &word)
        case .capitalSigma:
            word.append(Sigma.lowercased(at: position, in: text, folding: folding))
        }
        return next
    }

    private func append(_ letters: [3 of UInt32], to word: inout WordBuffer) {
        for index in letters.indices where letters[index] != 0 {
            word.append(letters[index])
        }
    }

    /// Cuts the word under way, if there is one, and starts the next.
    @inline(__always)
    private func endWord<Sink: TokenSink & ~Copyable>(_ word: inout WordBuffer, _ sink: inout Sink) {
        if word.isEmpty { return }
        if !word.isTooLong, let id = vocabulary.id(in: word.bytes, from: 0, length: word.count, hash: word.hash) {
            sink.take(id)
        } else {
            takePieces(of: word, &sink)
        }
        word.removeAll()
    }

    /// Cuts a word that is no token itself. Its pieces wait until the last of them is known, as one without an end
    /// makes the whole word unknown.
    private func takePieces<Sink: TokenSink & ~Copyable>(of word: borrowing WordBuffer, _ sink: inout Sink) {
        if word.isTooLong { return sink.take(ModelTables.unknown) }
        var pieces = InlineArray<100, UInt32>(repeating: 0)
        var (count, start) = (0, 0)
        while start < word.count {
            guard let piece = vocabulary.longest(in: word.bytes, from: start) else {
                return sink.take(ModelTables.unknown)
            }
            pieces[count] = piece.id
            count += 1
            start += piece.length
        }
        for index in 0..<count {
            sink.take(pieces[index])
        }
    }
}

/// The folding of the 128 ASCII scalars in two cache lines, which is most of most texts.
struct ASCIIFolding: Sendable {
    static let drop: UInt8 = 0
    static let space: UInt8 = 1
    static let alone: UInt8 = 2

    /// One of the three above, or the letter that a byte becomes.
    let folded: InlineArray<128, UInt8>

    init(_ folding: Folding) {
        folded = InlineArray { index in
            let (kind, payload) = folding(UInt32(index))
            return switch kind {
            case .drop: Self.drop
            case .space: Self.space
            case .alone: Self.alone
            case .letter: UInt8(payload)
            case .hangul, .sequence, .capitalSigma: preconditionFailure("no ASCII scalar folds to more than one")
            }
        }
    }
}
