package unify

import (
	"context"
	"encoding/json"
	"errors"

	"colonnade/core"
	"colonnade/tables"
)

// Actions returns the actions of the plugin: prepare the tables of a job, and run it.
func Actions(store *tables.Store) []core.Action {
	p := &plugin{store}
	return []core.Action{p.prepare(), p.run()}
}

type plugin struct{ store *tables.Store }

var jobInput = core.Column{
	Name: "job", Kind: core.JSON, Required: true,
	Doc: "What to unify: name, attributes, sources with a map from attribute to column, rules, score, and the golden table with its survivorship. docs/unify.md describes it.",
}

// exampleJob is two sources of people, matched by e-mail address or by score.
var exampleJob = map[string]any{
	"name":       "people",
	"attributes": []any{map[string]any{"name": "email", "type": "email"}, map[string]any{"name": "name", "type": "full_name"}},
	"sources": []any{
		map[string]any{"table": "lead", "map": map[string]any{"email": "email", "name": "full_name"}},
		map[string]any{"table": "member", "map": map[string]any{"email": "mail", "name": "name"}},
	},
	"rules":  []any{map[string]any{"name": "same e-mail", "match": []any{map[string]any{"attribute": "email"}}}},
	"score":  map[string]any{"enabled": true},
	"golden": map[string]any{"table": "person"},
}

func (p *plugin) prepare() core.Action {
	return core.Action{
		Name: "unify_prepare", Privilege: "define_tables", Define: true,
		Doc:      "Creates the tables that a unification writes to, as far as they are missing: the golden table, the crosswalk from source records to golden ones, and the lineage of the golden values.",
		Input:    []core.Column{jobInput},
		Output:   []core.Column{{Name: "created", Kind: core.Text, List: true, Doc: "The tables that were created."}},
		Examples: []core.Example{{In: core.Record{"job": exampleJob}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			job, err := parseJob(c)
			if err != nil {
				return nil, core.E("unify.unify_prepare", err)
			}
			created := []any{}
			err = p.store.Tx(ctx, tables.TxOptions{Define: true}, func(ctx context.Context, tx *tables.Tx) error {
				for _, t := range job.tables() {
					if _, err := tx.Snapshot().Schema.Table(t.Name); err == nil {
						continue
					}
					if err := tx.Change(ctx, core.CreateTable{Define: t}); err != nil {
						return err
					}
					created = append(created, t.Name)
				}
				return nil
			})
			if err != nil {
				return nil, core.E("unify.unify_prepare", err)
			}
			return core.Record{"created": created}, nil
		},
	}
}

func (p *plugin) run() core.Action {
	return core.Action{
		Name: "unify_run", Alone: true,
		Doc: "Finds the records of all sources that mean the same thing and writes one golden record for each, with its crosswalk and lineage. " +
			"Run again on the same records it writes nothing. It reads and writes with the rights of the caller.",
		Input: []core.Column{jobInput, {Name: "dry_run", Kind: core.Boolean, Doc: "Write nothing, only tell what would come out."}},
		Output: []core.Column{
			{Name: "records", Kind: core.Integer, Doc: "Records read."}, {Name: "pairs", Kind: core.Integer, Doc: "Pairs compared."},
			{Name: "golden", Kind: core.Integer, Doc: "Golden records."}, {Name: "merged", Kind: core.Integer, Doc: "Golden records of two or more."},
			{Name: "created", Kind: core.Integer}, {Name: "updated", Kind: core.Integer}, {Name: "removed", Kind: core.Integer},
			{Name: "model", Kind: core.Text, Doc: "The version of the scoring model."}, {Name: "stats", Kind: core.JSON, Doc: "Passes, rules, sizes, threshold."},
		},
		Examples: []core.Example{{In: core.Record{"job": exampleJob}}},
		Run:      p.unify,
	}
}

func parseJob(c core.Call) (Job, error) {
	raw, _ := c.In["job"].(json.RawMessage)
	job, err := ParseJob(raw)
	if err != nil {
		return job, core.E("unify.parseJob", core.Invalid, core.At{Column: "job"}, message(err), err)
	}
	if job.Golden.Crosswalk == "" {
		job.Golden.Crosswalk = job.Golden.Table + "_source"
	}
	if job.Golden.Lineage == "" {
		job.Golden.Lineage = job.Golden.Table + "_lineage"
	}
	return job, nil
}

// message is what a definition's author reads of an error of this package.
func message(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return "the job is no JSON object"
	}
	return err.Error()
}

func (p *plugin) unify(ctx context.Context, c core.Call) (core.Record, error) {
	const op = "unify.unify_run"
	job, err := parseJob(c)
	if err != nil {
		return nil, core.E(op, err)
	}
	snap := p.store.Snapshot()
	in, err := newReader(ctx, p.store, snap, &job)
	if err != nil {
		return nil, core.E(op, err)
	}
	out, err := newPublisher(p.store, snap, &job)
	if err != nil {
		return nil, core.E(op, err)
	}
	res, err := Resolve(ctx, job, in.rows(ctx), Options{})
	if err != nil {
		return nil, core.E(op, err)
	}
	if !c.Bool("dry_run") {
		if err := out.publish(ctx, res); err != nil {
			return nil, core.E(op, err)
		}
	}
	stats, err := json.Marshal(res.Stats)
	if err != nil {
		return nil, core.E(op, err)
	}
	return core.Record{
		"records": int64(res.Stats.Records), "pairs": res.Stats.Pairs, "golden": int64(res.Stats.Clusters),
		"merged": int64(res.Stats.Clusters - res.Stats.Sizes[1]), "created": int64(out.created), "updated": int64(out.updated),
		"removed": int64(out.removed), "model": res.Model.Version, "stats": json.RawMessage(stats),
	}, nil
}

// tables returns the tables that the job writes to, as they would be created.
func (j *Job) tables() []core.Table {
	golden := core.Table{Name: j.Golden.Table, Doc: "Golden records of the unification " + j.Name + ".", Ownership: core.OrgOwned}
	for _, a := range j.Attributes {
		c := core.Column{Name: a.Name, Kind: core.Text}
		switch a.Type {
		case Date:
			c.Kind = core.Date
		case Text, Address:
			c.Kind = core.LongText
		}
		golden.Columns = append(golden.Columns, c)
	}
	link := core.Column{Name: j.link(), Kind: core.Lookup, Target: j.Golden.Table, Required: true, OnDelete: core.Cascade}
	source, lineage := link, link
	source.Inverse, lineage.Inverse = "sources", "lineage"
	lineage.Unique = true
	return []core.Table{golden,
		{
			Name: j.Golden.Crosswalk, Doc: "Which source record belongs to which golden record.", Ownership: core.OrgOwned,
			Columns: []core.Column{source, {Name: "source_table", Kind: core.Text, Required: true}, {Name: "source_id", Kind: core.UUID, Required: true}},
			Keys:    []core.Key{{Name: "source", Columns: []string{"source_table", "source_id"}}},
		},
		{
			Name: j.Golden.Lineage, Doc: "Which source record each golden value comes from, and by which policy.", Ownership: core.OrgOwned,
			Columns: []core.Column{lineage, {Name: "fields", Kind: core.JSON, Required: true}},
		},
	}
}

// link is the column of the crosswalk and the lineage that leads to the golden record.
func (j *Job) link() string { return j.Golden.Table + "_id" }
