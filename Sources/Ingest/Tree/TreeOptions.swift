// What the caller of a tree decides.
package import Engine

package struct TreeOptions: Sendable {
    /// Put before every id, so that several trees can live in one collection: with "drive:" the file
    /// `policies/leave.md` becomes `drive:policies/leave.md` and the root `drive:/`.
    package var idPrefix = ""
    /// The names in front matter that become fields, with the types the collection declares for them.
    package var fields: [String: FieldType] = [:]
    package var bounds = ChunkBounds()
    package var countTokens: TokenCounter

    package init(countTokens: @escaping TokenCounter) { self.countTokens = countTokens }
}
