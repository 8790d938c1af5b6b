// The one address requests go to, checked once.

import FoundationEssentials

struct ServiceEndpoint: Sendable {
    /// The whole address.
    let url: String
    /// The address as errors show it: without the query, where some services take secrets.
    let shown: String

    init(baseURL: String) throws(EmbeddingError) {
        guard var parts = URLComponents(string: baseURL), let host = parts.host, !host.isEmpty,
            let scheme = parts.scheme?.lowercased(), ["http", "https"].contains(scheme)
        else {
            throw .configuration("the address must look like https://host/v1")
        }
        // A password in an address ends up in logs and in lists of processes.
        guard parts.user == nil, parts.password == nil else {
            throw .configuration("the address must not contain a user or a password; keys belong in the environment")
        }
        parts.path = Self.path(parts.path)
        parts.fragment = nil
        url = try Self.string(parts)
        parts.query = nil
        shown = try Self.string(parts)
    }

    private static func path(_ given: String) -> String {
        var path = given
        while path.hasSuffix("/") {
            path.removeLast()
        }
        if path.hasSuffix("/embeddings") { return path }
        return (path.isEmpty ? "/v1" : path) + "/embeddings"
    }

    private static func string(_ parts: URLComponents) throws(EmbeddingError) -> String {
        guard let string = parts.string else { throw .configuration("the address must look like https://host/v1") }
        return string
    }
}
