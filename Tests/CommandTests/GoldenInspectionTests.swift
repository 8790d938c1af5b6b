// What `needletail inspect` prints of the databases that are kept for ever.
import Foundation
import Testing
import TestSupport

@Suite struct GoldenInspectionTests {
    @Test(arguments: ["2", "3"])
    func `what is printed of the database of a format is what was printed of it when it was new`(format: String) throws {
        let golden = repository + "/Tests/Golden/format-\(format)"
        let run = try needletail("inspect", golden + "/database", in: TemporaryDirectory())
        #expect(run.code == 0 && run.errors.isEmpty, "\(run.errors)")
        #expect(run.output == (try String(contentsOfFile: golden + "/inspect.txt", encoding: .utf8)))
    }
}
