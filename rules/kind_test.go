package rules

import (
	"testing"

	"colonnade/core"
)

// TestKinds uses a column of every kind in an expression, in the way that its type has.
func TestKinds(t *testing.T) {
	literals := map[string]string{
		"string": "'a'", "int": "1", "double": "1.5", "bool": "true", "timestamp": "date('2024-05-01')", "datetime": "datetime('2024-05-01T12:00')", "duration": "duration('PT1H')",
		"decimal": "1.5", "choices": "choices('a')",
	}
	for _, k := range core.Kinds() {
		table := core.Table{Name: "thing", Columns: []core.Column{{Name: "x", Kind: k, Options: []core.Option{{Value: "a"}}}}}
		sources := []string{"isNull(x)"}
		switch literal := literals[k.Info().CEL]; {
		case k == core.JSON:
			sources = append(sources, "textAt(x, 'a') == 'b'", "sizeAt(x, 'a') > 1")
		case literal == "":
			t.Errorf("%s: the test has no literal of the type %s", k, k.Info().CEL)
		default:
			sources = append(sources, "x == "+literal, "coalesce(x, "+literal+") == x", "isNull(nullIf(x, "+literal+"))", "isNull(x == x ? x : "+literal+")")
			if k.Info().Ordered && k.Info().CEL != "choices" {
				sources = append(sources, "x < "+literal)
			}
		}
		for _, source := range sources {
			if _, err := Compile(nil, &table, source, Options{}); err != nil {
				t.Errorf("%s: %s: %v", k, source, err)
			}
		}
	}
}
