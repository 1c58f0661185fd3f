package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"slices"

	"modernc.org/sqlite"

	"colonnade/core"
)

// choiceScalars are the functions of choices, which are stored as a JSON list of texts. NULL is like an empty list.
var choiceScalars = map[string]scalar{
	"choices_has":      {2, choicesHas},
	"choices_contains": {2, compareChoices(func(have, want []string) bool { return !slices.ContainsFunc(want, lacks(have)) })},
	"choices_within":   {2, compareChoices(func(have, want []string) bool { return !slices.ContainsFunc(have, lacks(want)) })},
	"choices_any": {2, compareChoices(func(have, want []string) bool {
		return slices.ContainsFunc(have, func(s string) bool { return slices.Contains(want, s) })
	})},
	"json_pick": {2, jsonPick},
}

func lacks(list []string) func(string) bool {
	return func(s string) bool { return !slices.Contains(list, s) }
}

func choicesOf(v driver.Value) []string {
	var out []string
	if s, ok := v.(string); ok && json.Unmarshal([]byte(s), &out) != nil {
		return nil
	}
	return out
}

func compareChoices(holds func(have, want []string) bool) scalarFunc {
	return func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		return truth(holds(choicesOf(args[0]), choicesOf(args[1]))), nil
	}
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// choicesHas reports whether choices have a value.
func choicesHas(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	s, ok := args[1].(string)
	if !ok {
		return nil, nil
	}
	return truth(slices.Contains(choicesOf(args[0]), s)), nil
}

// jsonPick returns what a JSON object has for a key: a text, or a list as JSON.
func jsonPick(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	key, ok := args[0].(string)
	object, ok2 := args[1].(string)
	if !ok || !ok2 {
		return nil, nil
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(object), &m); err != nil {
		return nil, nil
	}
	switch v := m[key].(type) {
	case nil:
		return nil, nil
	case string:
		return v, nil
	default:
		return string(core.AppendValue(nil, v)), nil
	}
}
