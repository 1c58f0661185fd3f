package graphql

import (
	"context"
	"slices"
	"time"

	gql "github.com/graphql-go/graphql"

	"colonnade/core"
	"colonnade/tables"
)

// output is a type of every API: an object with the fields that the columns describe.
type output struct {
	name    string
	columns []core.Column
}

func text(name, doc string) core.Column {
	return core.Column{Name: name, Kind: core.Text, Required: true, Doc: doc}
}

func number(name, doc string) core.Column {
	return core.Column{Name: name, Kind: core.Integer, Required: true, Doc: doc}
}

// The outputs of what is done with the history. No table has such a name.
var (
	versionOutput = output{name: "_record_version", columns: tables.VersionColumns}
	deletedOutput = output{name: "_deleted_record", columns: tables.DeletedColumns}
	changesOutput = output{name: "_record_changes", columns: []core.Column{
		{Name: "changes", Kind: core.Object, List: true, Required: true, Fields: tables.ChangeColumns, Doc: "The changes, in the order of their commits."},
		text("cursor", "Where to go on: send it as since."),
		{Name: "more", Kind: core.Boolean, Required: true, Doc: "Whether there are more already."},
	}}
	previewOutput = output{name: "_delete_preview", columns: []core.Column{
		number("records", "The records that the delete is about."),
		{Name: "effects", Kind: core.Object, List: true, Required: true, Doc: "What happens to records that look them up, as far as you may read them.", Fields: []core.Column{
			text("table", "The table."), text("column", "The lookup."),
			text("action", "cascade: they are deleted too; set_null: they lose the lookup; restrict: they keep the delete from happening."),
			number("count", "How many records."),
		}},
	}}
	purgedOutput = output{name: "_purged", columns: []core.Column{
		{Name: "id", Kind: core.UUID, Doc: "The purge, as the audit has it; null of a dry run."},
		{Name: "tables", Kind: core.Object, List: true, Required: true, Doc: "What is gone, as far as you may read it.", Fields: []core.Column{
			text("table", "The table."), number("records", "How many records."), number("versions", "How many versions of them."),
		}},
	}}
	mergedOutput = output{name: "_merged", columns: []core.Column{
		{Name: "id", Kind: core.UUID, Required: true, Doc: "The merge, to undo it."}, number("moved", "The lookups that lead to the winner now, as far as you may read them."),
	}}
	unmergedOutput = output{name: "_unmerged", columns: []core.Column{
		{Name: "restored", Kind: core.UUID, List: true, Required: true, Doc: "The records that are back."},
		number("moved", "The lookups that lead to them again, as far as you may read them."),
		{Name: "kept", Kind: core.Object, List: true, Required: true, Doc: "Lookups that were changed since the merge and stay, as far as you may read them.", Fields: []core.Column{
			text("table", "The table."), text("column", "The lookup."), {Name: "id", Kind: core.UUID, Required: true, Doc: "The record."},
		}},
		{Name: "kept_columns", Kind: core.Text, List: true, Required: true, Doc: "Columns of the winner that were changed since the merge and stay."},
	}}
)

// pasts are the outputs as the types of one API.
type pasts struct{ version, deleted, changes, preview, purged, merged, unmerged *gql.Object }

func (b *builder) declarePasts() (err error) {
	for o, to := range map[*output]**gql.Object{
		&versionOutput: &b.past.version, &deletedOutput: &b.past.deleted, &changesOutput: &b.past.changes, &previewOutput: &b.past.preview,
		&purgedOutput: &b.past.purged, &mergedOutput: &b.past.merged, &unmergedOutput: &b.past.unmerged,
	} {
		if *to, err = b.outputObject("a type of every API", o.name, o.columns); err != nil {
			return err
		}
	}
	return nil
}

// declarePast declares what can be asked of, and done with, the history of a table.
func (b *builder) declarePast(r *rows) error {
	n, at := r.table.Name, core.At{Table: r.table.Name}
	if err := claim(b.roots, "field", "the table "+n, at, n+"_as_of", n+"_history", n+"_deleted", n+"_changes", n+"_delete_preview",
		"restore_"+n, "purge_"+n, "restore_"+n+"_version", "merge_"+n, "unmerge_"+n); err != nil {
		return err
	}
	uuid, bigint := scalars["uuid"].Scalar, scalars["bigint"].Scalar
	id := &gql.ArgumentConfig{Type: required(uuid), Description: "The record."}
	ids := gql.FieldConfigArgument{"ids": {Type: required(listOf(uuid)), Description: "The records."}}
	limit := &gql.ArgumentConfig{Type: gql.Int, Description: "How many at most."}
	query := func(name string, kind rootKind, typ gql.Output, doc string, args ...gql.FieldConfigArgument) {
		b.query[name] = &gql.Field{Type: typ, Args: together(args...), Description: doc}
		b.queryRoots[name] = &root{kind: kind, rows: r}
	}
	query(n+"_as_of", readAsOf, required(listOf(r.object)), "Records of "+n+" as they were at a moment, and what they are related with likewise.", r.listArgs(),
		gql.FieldConfigArgument{"at": {Type: required(scalars["timestamptz"].Scalar), Description: "The moment."}})
	query(n+"_history", readHistory, required(listOf(b.past.version)), "The versions of a record of "+n+", the newest first.",
		gql.FieldConfigArgument{"id": id, "limit": limit, "before": {Type: bigint, Description: "Only versions below this one."}})
	query(n+"_deleted", readDeleted, required(listOf(b.past.deleted)), "Deleted records of "+n+", as they last were.", r.args())
	query(n+"_changes", readChanges, required(b.past.changes), "The changes of records of "+n+" behind a cursor, in the order of their commits.",
		gql.FieldConfigArgument{"limit": limit, "where": {Type: r.where, Description: "Only the records that meet it."},
			"since": {Type: gql.String, Description: "The cursor of an earlier answer; left out for no change but the cursor of now; \"" + tables.FeedStart + "\" for every change that is kept."}})
	query(n+"_delete_preview", readPreview, required(b.past.preview), "What a delete of records of "+n+" would do.",
		gql.FieldConfigArgument{"where": {Type: required(r.where), Description: "The records that it is about."}})

	write := func(name string, kind rootKind, typ gql.Output, doc string, args gql.FieldConfigArgument) {
		b.mutation[name] = &gql.Field{Type: typ, Args: args, Description: doc}
		b.mutationRoots[name] = &root{kind: kind, rows: r}
	}
	write("restore_"+n, writeRestore, r.response, "Brings deleted records of "+n+" back, with what went with them.", ids)
	write("purge_"+n, writePurge, required(b.past.purged), "Deletes records of "+n+" for good that were deleted, with all of their versions and with what went with them.", gql.FieldConfigArgument{
		"ids": ids["ids"], "dry_run": {Type: gql.Boolean, Description: "Whether only to tell what would go."},
	})
	write("restore_"+n+"_version", writeRestoreVersion, r.object, "Gives a record of "+n+" the values of an earlier version; null when there is none with that id in your reach.", gql.FieldConfigArgument{
		"id": id, "version": {Type: required(bigint), Description: "The version."}, "if_version": {Type: bigint, Description: "Fail when the record has another version."},
	})
	write("merge_"+n, writeMerge, required(b.past.merged), "Makes one record of "+n+" of several: what looked up a loser looks up the winner, and the losers are deleted.", gql.FieldConfigArgument{
		"winner": {Type: required(uuid), Description: "The record that stays."},
		"losers": {Type: required(listOf(uuid)), Description: "The records that it takes in."},
		"take":   {Type: scalars["jsonb"].Scalar, Description: "Which columns the winner takes over, and from which record: {\"phone\": \"<id>\"}."},
	})
	write("unmerge_"+n, writeUnmerge, required(b.past.unmerged), "Undoes a merge of records of "+n+".", gql.FieldConfigArgument{
		"id": {Type: required(uuid), Description: "The merge."},
	})
	return nil
}

// compilePast compiles a query over the history.
func (c *compiler) compilePast(store *tables.Store, f *selected, r *root, args object) (*step, error) {
	table := r.rows.table.Name
	q := tables.Query{Table: table}
	s := newStep(f)
	switch r.kind {
	case readAsOf:
		at, _ := args.get("at")
		q.At = at.(time.Time)
		err := c.list(&q, r.rows, without(args, "at"))
		if err == nil {
			err = c.selectRecord(&q, r.rows, f)
		}
		if err != nil {
			return nil, err
		}
		c.rows = saturate(c.rows + rowsOf(&q, 1))
		s.query = &q
		s.run = func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
			return store.Query(ctx, in.snap, q, dst)
		}
		return s, nil
	case readHistory:
		if err := somewhat(args); err != nil {
			return nil, err
		}
		id, _ := args.get("id")
		before, _ := args.get("before")
		h := tables.History{Table: table, ID: core.ID(id.(string))}
		h.Before, _ = before.(int64)
		if err := c.list(&q, r.rows, without(args, "id", "before")); err != nil {
			return nil, err
		}
		h.Limit = q.Limit
		return c.outputs(s, f, &versionOutput, &q, func(ctx context.Context, in scope) ([]core.Record, error) {
			return store.History(ctx, in.snap, h)
		})
	case readDeleted:
		if err := c.list(&q, r.rows, args); err != nil {
			return nil, err
		}
		return c.outputs(s, f, &deletedOutput, &q, func(ctx context.Context, in scope) ([]core.Record, error) {
			q := q
			q.Where = filled(q.Where, in.values)
			return store.Deleted(ctx, in.snap, q)
		})
	case readChanges:
		if err := somewhat(args); err != nil {
			return nil, err
		}
		since, _ := args.get("since")
		if err := c.list(&q, r.rows, without(args, "since")); err != nil {
			return nil, err
		}
		feed := tables.Feed{Table: table, Where: q.Where, Limit: q.Limit}
		feed.Since, _ = since.(string)
		return c.output(s, f, &changesOutput, &q, func(ctx context.Context, in scope) (core.Record, error) {
			feed := feed
			feed.Where = filled(feed.Where, in.values)
			page, err := store.Changes(ctx, in.snap, feed)
			return core.Record{"changes": objects(page.Changes), "cursor": page.Cursor, "more": page.More}, err
		})
	}
	if err := c.list(&q, r.rows, args); err != nil {
		return nil, err
	}
	return c.output(s, f, &previewOutput, &q, func(ctx context.Context, in scope) (out core.Record, err error) {
		err = store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
			p, err := tx.PreviewDelete(ctx, tables.Remove{Table: table, Where: filled(q.Where, in.values)})
			out = core.Record{"records": int64(p.Records), "effects": effects(p.Effects)}
			return err
		})
		return out, err
	})
}

// somewhat refuses a limit of nothing.
func somewhat(args object) error {
	if limit, _ := args.get("limit"); limit == int64(0) {
		return within(".limit", wrong("a limit is 1 or more"))
	}
	return nil
}

func effects(all []tables.Effect) []any {
	out := make([]any, len(all))
	for i, e := range all {
		out[i] = map[string]any{"table": e.Table, "column": e.Column, "action": string(e.Action), "count": int64(e.Count)}
	}
	return out
}

func objects(list []core.Record) []any {
	out := make([]any, len(list))
	for i, r := range list {
		out[i] = r
	}
	return out
}

func without(args object, names ...string) object {
	return slices.DeleteFunc(slices.Clone(args), func(m member) bool { return slices.Contains(names, m.name) })
}

// output answers with one object.
func (c *compiler) output(s *step, f *selected, o *output, q *tables.Query, get func(context.Context, scope) (core.Record, error)) (*step, error) {
	picks, err := c.picks(o.name, o.columns, f)
	if err != nil {
		return nil, err
	}
	c.rows = saturate(c.rows + rowsOf(q, 1))
	s.run = func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		r, err := get(ctx, in)
		if err != nil {
			return dst, err
		}
		return appendPicks(dst, picks, r)
	}
	return s, nil
}

// outputs answers with a list of objects.
func (c *compiler) outputs(s *step, f *selected, o *output, q *tables.Query, get func(context.Context, scope) ([]core.Record, error)) (*step, error) {
	picks, err := c.picks(o.name, o.columns, f)
	if err != nil {
		return nil, err
	}
	c.rows = saturate(c.rows + rowsOf(q, 1))
	s.run = func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		list, err := get(ctx, in)
		if err != nil {
			return dst, err
		}
		dst = append(dst, '[')
		for i, r := range list {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendPicks(dst, picks, r); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	}
	return s, nil
}

// filled returns the condition with values in place of its parameters.
func filled(c tables.Cond, values []any) tables.Cond {
	all := func(list []tables.Cond) []tables.Cond {
		out := make([]tables.Cond, len(list))
		for i, one := range list {
			out[i] = filled(one, values)
		}
		return out
	}
	switch c := c.(type) {
	case tables.And:
		return tables.And(all(c))
	case tables.Or:
		return tables.Or(all(c))
	case tables.Not:
		return tables.Not{Cond: filled(c.Cond, values)}
	case tables.Related:
		c.Where = filled(c.Where, values)
		return c
	case tables.HasFile:
		c.Where = filled(c.Where, values)
		return c
	case tables.Aggregated:
		c.Of.Where = filled(c.Of.Where, values)
		c.Is = slices.Clone(c.Is)
		for i := range c.Is {
			c.Is[i] = filled(c.Is[i], values).(tables.Compare)
		}
		return c
	case tables.Compare:
		if p, ok := c.Value.(tables.Param); ok {
			c.Value = values[p-1]
		}
		return c
	}
	return c
}
