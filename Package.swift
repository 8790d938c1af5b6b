// swift-tools-version: 6.2
// Needletail: one daemon, one command line, and the modules they stand on. Arrows point down only.
import PackageDescription

/// The language rules every Swift target here is held to.
let swiftRules: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioLocks: Target.Dependency = .product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")

let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let nioExtras: Target.Dependency = .product(name: "NIOExtras", package: "swift-nio-extras")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "needletail",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.0"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
    ],
    targets: [
        // C: instruction-set kernels, and thin shims over system libraries.
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O3"])]),
        .target(name: "CBLAS"),
        .target(name: "CMiniLM", exclude: ["model"], cSettings: [.headerSearchPath("model")]),
        .target(name: "CAffinity"),
        .systemLibrary(name: "CZlib"),
        .systemLibrary(name: "CZstd"),
        .target(name: "CSimdjson", linkerSettings: [.linkedLibrary("simdjson")]),

        // Owned and borrowed memory, bitmaps, checksums, byte cursors.
        .target(name: "Memory", dependencies: ["CKernels"], swiftSettings: swiftRules),

        // Bytes that survive a crash.
        .target(name: "Storage", dependencies: ["Memory", "CZstd"], swiftSettings: swiftRules),

        // Nearest neighbours in lent memory.
        .target(name: "Index", dependencies: ["Memory", "CKernels", "CBLAS"], swiftSettings: swiftRules),

        // The database: collections, commits, snapshots.
        .target(name: "Engine", dependencies: ["Index", "Storage", "Memory", crypto], swiftSettings: swiftRules),

        // Requests, responses, client: the only place that knows the protocol.
        .target(name: "Wire", dependencies: ["Engine", "Index", "Memory", "CSimdjson"], swiftSettings: swiftRules),
        // Sockets, sessions, workers: where requests meet the database.
        .target(
            name: "Server",
            dependencies: ["Wire", "Engine", "Storage", "Memory", nio, nioPosix, nioLocks, logging, lifecycle, signals, arguments],
            swiftSettings: swiftRules),

        // A connection to a daemon.
        .target(name: "Client", dependencies: ["Wire", nio, nioPosix, nioExtras], swiftSettings: swiftRules),

        // Text to vectors: the built-in model, or a service.
        .target(
            name: "Embedding", dependencies: ["CMiniLM", nio, nioPosix, nioHTTP, httpClient], swiftSettings: swiftRules),

        // Files of every kind to documents, chunks and vectors, and into a daemon or a database.
        .target(
            name: "Ingest", dependencies: ["Client", "Embedding", "Wire", "Engine", "Memory", "CZlib", "CZstd"],
            swiftSettings: swiftRules),

        // Executables: a main, its flags, its configuration.
        .executableTarget(name: "needletaild", dependencies: ["Server", arguments], swiftSettings: swiftRules),
        .executableTarget(
            name: "needletail",
            dependencies: ["Server", "Ingest", "Embedding", "Client", "Wire", "Engine", "Index", "Storage", "Memory", "CAffinity", arguments],
            swiftSettings: swiftRules),

        .executableTarget(
            name: "Micro", dependencies: ["Engine", "Index", "Storage", "Wire", "Memory", "CKernels"], path: "Benchmarks/Micro", swiftSettings: swiftRules),

        // What tests share: seeds, threads, a disk that fails on request, daemons to talk to.
        .target(name: "TestSupport", dependencies: ["Storage", "Memory"], path: "Tests/Support", swiftSettings: swiftRules),

        .testTarget(name: "MemoryTests", dependencies: ["Memory", "CKernels", "TestSupport"], swiftSettings: swiftRules),
        .testTarget(name: "StorageTests", dependencies: ["Storage", "Memory", "TestSupport"], swiftSettings: swiftRules),
        .testTarget(name: "EngineTests", dependencies: ["Engine", "Index", "Storage", "Memory", "TestSupport"], swiftSettings: swiftRules),
        .testTarget(name: "IndexTests", dependencies: ["Index", "Memory", "CKernels", "TestSupport"], swiftSettings: swiftRules),
        .testTarget(
            name: "EmbeddingTests", dependencies: ["Embedding", nio, nioPosix, nioHTTP], exclude: ["Fixtures"],
            swiftSettings: swiftRules),
        .testTarget(
            name: "IngestTests", dependencies: ["Ingest", "Wire", "Engine", "Memory", "CZlib", "CZstd"], swiftSettings: swiftRules),
        .testTarget(name: "CommandTests", dependencies: ["needletail", "needletaild", "Wire", "Memory", "TestSupport"], swiftSettings: swiftRules),
        .testTarget(name: "WireTests", dependencies: ["Wire", "Engine", "Index", "Memory", "TestSupport"], swiftSettings: swiftRules),
        // The executable is a dependency so that it is there to be started, not to be imported.
        .testTarget(
            name: "ServerTests", dependencies: ["needletaild", "Wire", "Engine", "TestSupport"], exclude: ["SystemCalls"],
            swiftSettings: swiftRules),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c17,
    cxxLanguageStandard: .cxx20
)

// tools/fuzz builds with this set; nothing else sees libFuzzer, which brings the executable's main.
if Context.environment["NEEDLETAIL_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["Wire", "Engine", "Index", "Storage", "Memory", "TestSupport"], path: "Tests/Fuzz",
            swiftSettings: swiftRules + [.unsafeFlags(["-parse-as-library"])]))
}
