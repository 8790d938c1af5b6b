// Every bound that reading someone else's files needs, in one place.

/// What a source accepts. Beyond a bound a row is rejected or a file refused by name; memory is never the limit.
package enum Limits {
    /// One line of JSONL: the protocol's own limit for a line, as a longer one could not be sent on anyway.
    package static let lineBytesMax = 32 << 20
    /// Nesting of a JSONL line, as on the wire.
    package static let recordDepthMax = 32
    /// An id in UTF-8.
    package static let idBytesMax = 512
    /// Numbers in a vector; also what keeps a damaged header from asking for gigabytes.
    package static let dimensionMax = 1 << 16
    /// The text part of an `.npy` header; numpy writes 118 bytes for a plain matrix.
    package static let npyHeaderBytesMax = 1 << 16
    /// One Markdown or text file.
    package static let textFileBytesMax = 16 << 20
    /// One day of one chat channel, or the list of its people.
    package static let chatFileBytesMax = 64 << 20
    /// Nesting of a chat export's JSON; rich text blocks nest deeper than records do.
    package static let chatDepthMax = 64
    /// Folders within folders.
    package static let treeDepthMax = 64
    /// Lines between the two `---` of front matter; a longer run is a rule followed by text.
    package static let frontMatterLinesMax = 256
    /// A longer "heading" is kept as text: a trail made of it would be longer than the passage under it.
    package static let headingBytesMax = 512
    /// Text that a token stands for at most. Some tokenizers call a word of any length one unknown token; this
    /// keeps such a word from passing for a short chunk.
    package static let bytesPerTokenMax = 32
}
