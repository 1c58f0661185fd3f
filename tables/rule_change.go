package tables

import (
	"bytes"
	"encoding/json"

	"colonnade/core"
)

// testRules runs the tests of the rules of those tables that the change is about. The first that fails refuses it.
func (c *candidate) testRules() error {
	for _, t := range c.next.Schema.Tables() {
		if t.Builtin || len(t.Rules) == 0 {
			continue
		}
		if was, ok := c.from.Schema.Stored(t.SQL()); ok {
			same, err := sameDefinition(was, t)
			if err != nil {
				return err
			}
			if same {
				continue
			}
		}
		if err := c.next.Rules.Test(t.Name); err != nil {
			return err
		}
	}
	return nil
}

// sameDefinition reports whether two tables are defined alike, their options included.
func sameDefinition(a, b *core.Table) (bool, error) {
	x, err := json.Marshal(core.Definition(a))
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(core.Definition(b))
	return bytes.Equal(x, y), err
}
