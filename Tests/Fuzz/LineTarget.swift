// A line of any bytes: it is a request, or it is refused with one line of JSON.
import Memory
import TestSupport
import Wire

extension FuzzTarget {
    static let lines = FuzzTarget(name: "lines", seeds: { RequestScript.lines.map { RequestScript.text([$0]) } }) { input in
        var decoder = RequestDecoder()
        do throws(RefusedLine) { _ = try decoder.decode(input.rawSpan) } catch {
            var response = ResponseWriter()
            response.failure(error.id, error.error)
            RequestScript.checkAnswer(response.withBytes { Array(copying: $0) })
        }
    }
}
