package enrich

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/tables"
)

// Actions returns the actions of the plugin: look at one value, or fill columns of records from others.
func Actions(store *tables.Store) []core.Action {
	return []core.Action{phoneAction(), emailAction(), nameAction(), recordsAction(store)}
}

func text(name, doc string) core.Column { return core.Column{Name: name, Kind: core.Text, Doc: doc} }

func flag(name, doc string) core.Column { return core.Column{Name: name, Kind: core.Boolean, Doc: doc} }

func required(c core.Column) core.Column { c.Required = true; return c }

func phoneAction() core.Action {
	return core.Action{
		Name: "enrich_phone", Doc: "Takes a telephone number apart. Nobody is called.",
		Input: []core.Column{required(text("phone", "The number.")), text("country", "Where a number without a country code belongs; the United States when left out.")},
		Output: []core.Column{
			text("e164", "The number as +14155552671."), flag("valid", "Whether it lies in an assigned range."), text("country", "A code of two letters."),
			text("region", "The state or province."), text("type", "fixed, mobile and the like."), text("extension", "The extension."), text("problem", "Why it is not valid."),
		},
		Examples: []core.Example{{In: core.Record{"phone": "(415) 555-2671"}, Out: core.Record{"e164": "+14155552671", "country": "US", "region": "California"}}},
		Run: func(_ context.Context, c core.Call) (core.Record, error) {
			p := phone([]string{c.Text("phone"), c.Text("country")})
			r, _ := RegionOfPhone(p)
			return core.Record{
				"e164": orNull(p.E164), "valid": p.Valid, "country": orNull(p.Country), "region": orNull(r.Name),
				"type": orNull(p.Type), "extension": orNull(p.Extension), "problem": orNull(p.Problem),
			}, nil
		},
	}
}

func emailAction() core.Action {
	return core.Action{
		Name: "enrich_email", Doc: "Takes an e-mail address apart. Nobody is asked whether it exists.",
		Input: []core.Column{required(text("email", "The address."))},
		Output: []core.Column{
			text("address", "Normalised."), text("domain", "What stands after the @."), flag("valid", "Whether it has the form of an address."),
			flag("free", "Whether the domain gives mailboxes to anyone."), flag("role", "Whether it is an office's."), text("problem", "Why it is not valid."),
		},
		Examples: []core.Example{{In: core.Record{"email": "Ann.Lee@Example.ORG"}, Out: core.Record{"address": "ann.lee@example.org", "valid": true}}},
		Run: func(_ context.Context, c core.Call) (core.Record, error) {
			e := ParseEmail(c.Text("email"))
			return core.Record{"address": orNull(e.Address), "domain": orNull(e.Domain), "valid": e.Valid, "free": e.Free, "role": e.Role, "problem": orNull(e.Problem)}, nil
		},
	}
}

func nameAction() core.Action {
	return core.Action{
		Name: "enrich_name", Doc: "Takes the name of a person apart.",
		Input:    []core.Column{required(text("name", "The name."))},
		Output:   []core.Column{text("title", ""), text("given", ""), text("middle", ""), text("family", ""), text("suffix", "")},
		Examples: []core.Example{{In: core.Record{"name": "Lee, Dr. Ann"}, Out: core.Record{"given": "Ann", "family": "Lee"}}},
		Run: func(_ context.Context, c core.Call) (core.Record, error) {
			n := ParseName(c.Text("name"))
			return core.Record{"title": orNull(n.Title), "given": orNull(n.Given), "middle": orNull(n.Middle), "family": orNull(n.Family), "suffix": orNull(n.Suffix)}, nil
		},
	}
}

func recordsAction(store *tables.Store) core.Action {
	var list strings.Builder
	for _, f := range functions {
		fmt.Fprintf(&list, "\n- %s(%s): %s", f.name, strings.Join(f.args, ", "), f.doc)
	}
	return core.Action{
		Name: "enrich_records", Doc: "Fills columns of records from others. The functions are:" + list.String(),
		Input: []core.Column{
			required(text("table", "The table.")), required(core.Column{Name: "ids", Kind: core.UUID, List: true, Doc: "The records."}),
			required(core.Column{Name: "set", Kind: core.JSON, Doc: `Which column gets what: {"phone_e164": "phone_e164(phone, country)"}.`}),
		},
		Output: []core.Column{{Name: "enriched", Kind: core.Integer, Doc: "Records looked at."}},
		Examples: []core.Example{{In: core.Record{
			"table": "customer", "ids": []any{"0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"}, "set": map[string]any{"domain": "email_domain(email)"},
		}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			n, err := enrich(ctx, store, c)
			if err != nil {
				return nil, core.E("enrich.enrich_records", err)
			}
			return core.Record{"enriched": n}, nil
		},
	}
}

// maxRecords is how many records one call enriches at most.
const maxRecords = 10_000

func enrich(ctx context.Context, store *tables.Store, c core.Call) (n int64, err error) {
	ids, _ := c.In["ids"].([]any)
	if len(ids) > maxRecords {
		return 0, core.E("enrich.enrich", core.Limit, core.At{Column: "ids"}, fmt.Sprintf("at most %d records at a time", maxRecords))
	}
	set, err := parseSet(c.In["set"])
	if err != nil {
		return 0, err
	}
	q := tables.Query{Table: c.Text("table"), Limit: tables.MaxLimit, Fields: []tables.Field{{As: "id", Column: "id"}}}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		for _, column := range set[name].columns {
			if !slices.ContainsFunc(q.Fields, func(f tables.Field) bool { return f.As == column }) {
				q.Fields = append(q.Fields, tables.Field{As: column, Column: column})
			}
		}
	}
	err = store.Tx(ctx, tables.TxOptions{Again: true}, func(ctx context.Context, tx *tables.Tx) error {
		n = 0
		for part := range slices.Chunk(ids, tables.MaxLimit) {
			q.Where = tables.Compare{Column: "id", Op: tables.In, Value: part}
			found, err := store.Records(ctx, tx.Snapshot(), q)
			if err != nil {
				return err
			}
			updates := make([]tables.RowUpdate, len(found))
			for i, r := range found {
				updates[i] = tables.RowUpdate{ID: core.ID(r["id"].(string)), Set: core.Record{}}
				for name, f := range set {
					updates[i].Set[name] = f.of(r)
				}
			}
			if _, err := tx.UpdateRows(ctx, q.Table, updates); err != nil {
				return err
			}
			n += int64(len(found))
		}
		return nil
	})
	return n, err
}

func parseSet(v any) (map[string]formula, error) {
	var texts map[string]string
	raw, _ := v.(json.RawMessage)
	if err := json.Unmarshal(raw, &texts); err != nil {
		return nil, core.E("enrich.parseSet", core.Invalid, core.At{Column: "set"}, `set is an object of texts, such as {"domain": "email_domain(email)"}`)
	}
	out := make(map[string]formula, len(texts))
	for name, t := range texts {
		f, err := parseFormula(t)
		if err != nil {
			return nil, core.E("enrich.parseSet", core.At{Column: name}, err)
		}
		out[name] = f
	}
	return out, nil
}
