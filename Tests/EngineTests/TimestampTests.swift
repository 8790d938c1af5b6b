// RFC 3339 against known moments, against a calendar counted day by day, and against itself.
@testable import Engine
import Testing
import TestSupport

@Suite struct TimestampTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.001Z", 1), ("1969-12-31T23:59:59.999Z", -1),
        ("2000-02-29T00:00:00Z", 951_782_400_000), ("2000-03-01T00:00:00Z", 951_868_800_000),
        ("2038-01-19T03:14:08Z", 2_147_483_648_000), ("1900-03-01T00:00:00Z", -2_203_891_200_000),
        ("2026-10-01T12:30:00.250Z", 1_790_857_800_250), ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000), ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ] as [(String, Int64)])
    func `a moment and its text are one`(text: String, milliseconds: Int64) {
        #expect(Timestamp.milliseconds(rfc3339: text) == milliseconds)
        #expect(Timestamp.rfc3339(milliseconds: milliseconds) == text)
    }

    @Test(arguments: [
        ("2026-10-01", 1_790_812_800_000), ("2026-10-01T14:30:00+02:00", 1_790_857_800_000), ("2026-10-01T07:00:00-05:30", 1_790_857_800_000),
        ("2026-10-01t12:30:00z", 1_790_857_800_000), ("2026-10-01 12:30:00Z", 1_790_857_800_000), ("2026-10-01T12:30:00-00:00", 1_790_857_800_000),
        ("2026-10-01T12:30:00.2Z", 1_790_857_800_200), ("2026-10-01T12:30:00.25Z", 1_790_857_800_250),
        ("2026-10-01T12:30:00.2509999999Z", 1_790_857_800_250), ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("1970-01-01T00:00:00+23:59", -86_340_000), ("1970-01-01T00:00:00-23:59", 86_340_000),
    ] as [(String, Int64)])
    func `other ways to write a moment are read`(text: String, milliseconds: Int64) {
        #expect(Timestamp.milliseconds(rfc3339: text) == milliseconds)
    }

    @Test(arguments: [
        "", " ", "2026", "2026-10", "2026-10-1", "26-10-01", "2026-00-01", "2026-13-01", "2026-10-00", "2026-10-32", "2026-02-29", "1900-02-29",
        "2026-04-31", "2026/10/01", "2026-10-01T", "2026-10-01T12", "2026-10-01T12:30Z", "2026-10-01T12:30:00", "2026-10-01T24:00:00Z",
        "2026-10-01T12:60:00Z", "2026-10-01T12:30:61Z", "2026-10-01T12:30:00.Z", "2026-10-01T12:30:00,5Z", "2026-10-01T12:30:00+2:00",
        "2026-10-01T12:30:00+0200", "2026-10-01T12:30:00+24:00", "2026-10-01T12:30:00+02:60", "2026-10-01T12:30:00Z ", " 2026-10-01T12:30:00Z",
        "2026-10-01T12:30:00ZZ", "2026-10-01Z", "+2026-10-01T12:30:00Z", "-026-10-01", "２０２６-10-01", "2026-10-01T12:30:00.5", "2026-10-01T12:30:00.5é",
    ])
    func `anything else is none`(text: String) {
        #expect(Timestamp.milliseconds(rfc3339: text) == nil)
    }

    @Test func `every day of ten thousand years is the day after the one before`() {
        var days: Int64 = -719_528  // From the year 0 to 1970.
        for year in 0...9999 {
            let isLeap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0)
            for (month, length) in [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].enumerated() {
                // The first and the last day of each month, midnight and the last millisecond.
                for day in [1, length] {
                    let text = Self.pad(year, 4) + "-" + Self.pad(month + 1, 2) + "-" + Self.pad(day, 2)
                    let start = (days + Int64(day) - 1) * 86_400_000
                    if Timestamp.milliseconds(rfc3339: text) != start || Timestamp.rfc3339(milliseconds: start) != text + "T00:00:00Z"
                        || Timestamp.rfc3339(milliseconds: start + 86_399_999) != text + "T23:59:59.999Z" {
                        Issue.record("\(text) is not \(start)")
                        return
                    }
                }
                days += Int64(length)
            }
        }
    }

    private static func pad(_ number: Int, _ width: Int) -> String {
        String(String(String(number + 10_000).reversed()).prefix(width).reversed())
    }

    @Test func `random moments survive being written and read`() {
        let seed = TestSeed(41)
        var random = seed.random
        for _ in 0..<20_000 {
            let moment = Int64.random(in: -62_167_219_200_000...253_402_300_799_999, using: &random)
            #expect(Timestamp.milliseconds(rfc3339: Timestamp.rfc3339(milliseconds: moment)) == moment, "\(seed)")
        }
    }

    @Test func `moments beyond four digits of a year are shown as the nearest that have them`() {
        #expect(Timestamp.rfc3339(milliseconds: .min) == "0000-01-01T00:00:00Z")
        #expect(Timestamp.rfc3339(milliseconds: .max) == "9999-12-31T23:59:59.999Z")
    }
}
