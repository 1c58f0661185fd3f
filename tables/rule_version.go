package tables

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// recordRules keeps what rules were, of those that the change is about.
func (tx *Tx) recordRules(ctx context.Context, a *alteration) error {
	for _, t := range a.next.Schema.Tables() {
		if t.Builtin {
			continue
		}
		before := map[string]*core.Rule{}
		if was, ok := a.from.Schema.At(t.SQL()); ok {
			for i := range was.Rules {
				before[was.Rules[i].Name] = &was.Rules[i]
			}
		}
		for i := range t.Rules {
			r := &t.Rules[i]
			was := before[r.Name]
			delete(before, r.Name)
			if was != nil && was.Same(r) {
				continue
			}
			if err := tx.recordRule(ctx, a, t, r.Name, r); err != nil {
				return err
			}
		}
		for name := range before {
			if err := tx.recordRule(ctx, a, t, name, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// recordRule keeps a rule as it is after the change, nil when it went.
func (tx *Tx) recordRule(ctx context.Context, a *alteration, t *core.Table, name string, r *core.Rule) error {
	var definition, was any
	if r != nil {
		raw, err := json.Marshal(r)
		if err != nil {
			return err
		}
		definition = string(raw)
		for _, c := range a.changes {
			if p, ok := c.(core.RenamePart); ok && p.Part == core.PartRule && p.To == name && a.sameTable(p.Of, t) {
				was = p.Name
			}
		}
	}
	at := core.Column{Kind: core.Timestamp}
	b := db.New(tx.db.Dialect).Write(`INSERT INTO "_rule_version" (table_name, rule, version, definition, was, actor, at) VALUES (`).Arg(t.SQL()).Write(", ").Arg(name).
		Write(", ").Arg(a.next.Schema.Version()).Write(", ").Arg(definition).Write(", ").Arg(was).Write(", ").Arg(actor(ctx)).Write(", ").Value(&at, tx.now).Write(")")
	_, err := tx.db.Exec(ctx, b)
	return err
}

// forgetRules deletes what the rules of a table were that is gone for good.
func (a *alteration) forgetRules(ctx context.Context, t *core.Table) error {
	return a.run(ctx, db.New(a.tx.db.Dialect).Write(`DELETE FROM "_rule_version" WHERE table_name = `).Arg(t.SQL()))
}

// RuleVersion is what a rule was from a version of the schema on.
type RuleVersion struct {
	Version int64 // of the schema
	Name    string
	Rule    *core.Rule // nil when the rule went
	Actor   core.ID
	At      time.Time
	was     string
}

// RuleVersions returns what a rule of the table is and was, under this name and those that it had before, the newest first.
// Who asks needs the right to define tables.
func (s *Store) RuleVersions(ctx context.Context, snap *Snapshot, table, name string) ([]RuleVersion, error) {
	const op = "tables.RuleVersions"
	if err := snap.Policy.May(core.CallerFrom(ctx), "define_tables"); err != nil {
		return nil, core.E(op, err)
	}
	t, err := snap.Schema.Table(table)
	if err != nil {
		return nil, core.E(op, err)
	}
	all, err := s.ruleVersions(ctx, t)
	if err != nil {
		return nil, core.E(op, err)
	}
	var out []RuleVersion
	for _, v := range all {
		if v.Name != name {
			continue
		}
		out = append(out, v)
		if v.was != "" {
			name = v.was
		}
	}
	if len(out) == 0 {
		return nil, core.E(op, core.NotFound, core.At{Table: table, Rule: name}, "there is no such rule, and there was none")
	}
	return out, nil
}

// ruleVersions returns those of all rules of the table, the newest first. Of one version, what came is before what went.
func (s *Store) ruleVersions(ctx context.Context, t *core.Table) (out []RuleVersion, err error) {
	b := db.New(s.db.Dialect).Write(`SELECT rule, version, definition, coalesce(was, ''), CAST(actor AS text), CAST(at AS text) FROM "_rule_version" WHERE table_name = `).Arg(t.SQL()).
		Write(" ORDER BY version DESC, CASE WHEN definition IS NULL THEN 1 ELSE 0 END, rule")
	renamed := map[int64][]string{} // by version: the names that rules had before it
	err = s.conn(ctx).Query(ctx, b, func(scan func(...any) error) error {
		var v RuleVersion
		var definition []byte
		var at string
		if err := scan(&v.Name, &v.Version, &definition, &v.was, &v.Actor, &at); err != nil {
			return err
		}
		v.At = time.UnixMicro(micros(at)).UTC()
		if v.was != "" {
			renamed[v.Version] = append(renamed[v.Version], v.was)
		}
		if definition == nil {
			if !slices.Contains(renamed[v.Version], v.Name) { // otherwise it has another name
				out = append(out, v)
			}
			return nil
		}
		v.Rule = &core.Rule{}
		out = append(out, v)
		return json.Unmarshal(definition, v.Rule)
	})
	return out, err
}

var ruleNameInput = []core.Column{required(text("table", "The table.")), required(text("name", "The rule."))}

func (s *Store) ruleVersionsAction() core.Action {
	return core.Action{
		Name: "rule_versions", Privilege: "define_tables", Doc: "Lists what a rule is and was, the newest first, under the names that it had; also of one that was dropped.",
		Input: ruleNameInput,
		Output: []core.Column{{Name: "versions", Kind: core.Object, List: true, Required: true, Doc: "The versions.", Fields: []core.Column{
			{Name: "version", Kind: core.Integer, Required: true, Doc: "The version of the schema from which on it was like this."},
			{Name: "name", Kind: core.Text, Required: true, Doc: "What it was called."},
			{Name: "at", Kind: core.Timestamp, Required: true, Doc: "When that was."}, {Name: "actor", Kind: core.UUID, Required: true, Doc: "Who made it so."},
			{Name: "rule", Kind: core.JSON, Doc: "The rule; null when it was dropped."},
		}}},
		Examples: []core.Example{{In: core.Record{"table": "product", "name": "price is positive"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			snap := s.Snapshot()
			if tx := s.txFrom(ctx); tx != nil {
				snap = tx.snap
			}
			found, err := s.RuleVersions(ctx, snap, c.Text("table"), c.Text("name"))
			if err != nil {
				return nil, core.E("tables.rule_versions", err)
			}
			out := make([]any, len(found))
			for i, v := range found {
				one := map[string]any{"version": v.Version, "name": v.Name, "at": v.At, "actor": string(v.Actor), "rule": nil}
				if v.Rule != nil {
					raw, err := json.Marshal(v.Rule)
					if err != nil {
						return nil, core.E("tables.rule_versions", err)
					}
					one["rule"] = json.RawMessage(raw)
				}
				out[i] = one
			}
			return core.Record{"versions": out}, nil
		},
	}
}

func (s *Store) restoreRule() core.Action {
	input := append(slices.Clone(ruleNameInput), required(core.Column{Name: "version", Kind: core.Integer, Doc: "Which of them: see rule_versions."}))
	return s.warning(core.Action{
		Name: "restore_rule", Privilege: "define_tables", Define: true, Input: input, Output: versionOutput,
		Doc:      "Makes a rule what it was at a version; also one that was dropped. The tests of all rules of the table must pass.",
		Examples: []core.Example{{In: core.Record{"table": "product", "name": "price is positive", "version": int64(7)}}},
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			table, name := c.Text("table"), c.Text("name")
			err = s.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
				found, err := s.RuleVersions(ctx, tx.snap, table, name)
				if err != nil {
					return err
				}
				i := slices.IndexFunc(found, func(v RuleVersion) bool { return v.Version == c.Int("version", 0) && v.Rule != nil })
				if i < 0 {
					return core.E("tables.restoreRule", core.NotFound, core.At{Table: table, Rule: name}, "the rule has no such version: rule_versions lists them")
				}
				r := *found[i].Rule
				r.Name = name
				err = tx.Change(ctx, core.PutRule{On: table, Put: r})
				out = core.Record{"table": table, "version": tx.snap.Schema.Version()}
				return err
			})
			if err != nil {
				return nil, core.E("tables.restore_rule", err)
			}
			return out, nil
		},
	})
}
