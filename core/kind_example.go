package core

// KindExample shows a kind: the settings of a column, what a client sends and what it gets back, all as JSON.
type KindExample struct {
	Form     string // what a cell of a text file holds, and what else it may be
	Settings string // without name and kind
	In, Out  string // nothing is sent when In is empty
}

const exampleID = `"0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"`

var kindExamples = map[Kind]KindExample{
	Text: {"The text.", `{"format": "email", "unique": true}`, `" Ann@Example.COM"`, `"ann@example.com"`},
	LongText: {"The text. With quotes around it, also several lines.", `{"max_length": 2000}`, `"First line\nsecond line"`,
		`"First line\nsecond line"`},
	Integer:    {"Digits, with a minus.", `{"min": 1, "max": 5}`, `4`, `4`},
	Decimal:    {"Digits, with a point and a minus.", `{"precision": 38, "scale": 2}`, `"123456789012345678901234567890123456.7"`, `123456789012345678901234567890123456.70`},
	Currency:   {"The amount: digits, with a point and a minus. The code of the currency is in a column of its own: see [money](../money.md). The example is in euros, the base currency.", `{}`, `12.5`, `12.50`},
	Float:      {"Digits, with a point, a minus and an exponent.", `{}`, `0.1`, `0.1`},
	Boolean:    {"true or false; also yes and no, t and f, y and n, 1 and 0.", `{"default": "false"}`, `true`, `true`},
	Date:       {"2024-12-31; also 12/31/2024, or a timestamp in UTC. The years are 0001 to 9999.", `{}`, `"2024-12-31"`, `"2024-12-31"`},
	Timestamp:  {"2024-12-31T23:59:59+01:00; also without a zone, which is UTC then, or a day.", `{}`, `"2024-12-31T23:59:59+01:00"`, `"2024-12-31T22:59:59+00:00"`},
	DateTime:   {"2024-12-31T23:59:59; also with a blank in place of the T, without the seconds, 12/31/2024 23:59, or a day. A time zone is refused.", `{}`, `"2024-12-31T23:59"`, `"2024-12-31T23:59:00"`},
	Duration:   {"P1DT2H30M, the form of ISO 8601 without years and months; also 26:30 or 26:30:15, hours and minutes and seconds.", `{}`, `"PT26H30M"`, `"P1DT2H30M"`},
	UUID:       {"36 characters.", `{}`, `"0190A3C1-7C1E-7A3E-9D0B-0C5F8E6F1A2B"`, exampleID},
	Choice:     {"The value of an option, or its label.", `{"options": [{"value": "high", "label": "High", "color": "#c00"}, {"value": "low", "retired": true}]}`, `"high"`, `"high"`},
	Choices:    {"Values or labels with semicolons between them, or a JSON list.", `{"options": [{"value": "vip"}, {"value": "eu", "label": "Europe"}]}`, `["vip", "eu", "vip"]`, `["eu","vip"]`},
	Status:     {"The value of an option, or its label.", `{"options": [{"value": "new", "state": "active", "initial": true, "next": ["done"]}, {"value": "done", "state": "inactive"}]}`, ``, `"new"`},
	Autonumber: {"The number; only of records that are taken over as they are.", `{"template": "INV-{SEQ:5}", "seed": 1000}`, ``, `"INV-01000"`},
	Lookup:     {"The id of the record; an import also finds it by a unique column of the target.", `{"target": "kind"}`, exampleID, exampleID},
	AnyLookup:  {"The table and the id of the record, such as account:0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b.", `{"targets": ["kind"]}`, ``, `null`},
	File:       {"The id of a file that was uploaded.", `{"max_size": 1000000, "media_types": ["application/pdf", "text/*"]}`, exampleID, `{"name":"note.txt","size":5,"media_type":"text/plain"}`},
	Image:      {"The id of a file that was uploaded.", `{"max_pixels": 1000000}`, exampleID, `{"name":"dot.png","media_type":"image/png","width":1}`},
	JSON:       {"JSON.", `{}`, `{"list": [1, 2.50], "a": null}`, `{"a":null,"list":[1,2.50]}`},
}

// Example returns the example of the kind, which the tests run.
func (k Kind) Example() KindExample { return kindExamples[k] }
