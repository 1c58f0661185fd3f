package tables

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

func (s *Store) readAccessLog() core.Action {
	kinds := make([]string, len(accessKinds))
	for i, k := range accessKinds {
		kinds[i] = string(k)
	}
	return core.Action{
		Name: "read_access_log",
		Doc:  "Lists who read which records of tables whose reads are audited, who exported, and who signed in, was refused, changed what people sign in with, enabled plugins or changed credentials, the newest first. Who does not hold the right verify_history gets what he did, and what is about his account.",
		Input: []core.Column{
			text("kind", "Only of this kind: "+strings.Join(kinds, ", ")+"."),
			text("table", "Only about this table."),
			{Name: "record", Kind: core.UUID, Doc: "Only what showed this record, or is about the account of this user."},
			{Name: "user", Kind: core.UUID, Doc: "Only what this user did, or somebody on his behalf."},
			{Name: "since", Kind: core.Timestamp, Doc: "Only from then on."}, {Name: "until", Kind: core.Timestamp, Doc: "Only before that."},
			{Name: "before", Kind: core.UUID, Doc: "Only entries in front of the one with this id, to go on from the last one of a list."},
			{Name: "limit", Kind: core.Integer, Doc: "How many at most, 1 to 1000; 100 when left out."},
		},
		Output: []core.Column{{Name: "entries", Kind: core.Object, List: true, Required: true, Doc: "The entries.", Fields: []core.Column{
			{Name: "id", Kind: core.UUID, Required: true, Doc: "The entry."}, {Name: "at", Kind: core.Timestamp, Required: true, Doc: "When."},
			text("kind", "What it is about."), {Name: "actor", Kind: core.UUID, Doc: "Who did it; null for somebody who did not sign in."},
			{Name: "behalf", Kind: core.UUID, Doc: "Who made the request, when that was another one than the actor."}, text("cause", "Why: api, flow and the like."), text("cause_id", "Which flow run and the like."),
			text("table", "The table."), {Name: "records", Kind: core.UUID, List: true, Required: true, Doc: "The records that were shown; none where records were only counted, or compared with a condition. Of what is about an account, its user."},
			text("address", "The address that the request came from."), text("request", "The id of the request, as in the log of the server."),
			{Name: "data", Kind: core.JSON, Required: true, Doc: "What else there is to know, such as the columns that the query named."},
			{Name: "sealed", Kind: core.Boolean, Required: true, Doc: "Whether the audit holds the hash of the entry."},
		}}},
		Examples: []core.Example{{In: core.Record{"table": "customer", "limit": int64(10)}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			out, err := s.accesses(ctx, c)
			if err != nil {
				return nil, core.E("tables.read_access_log", err)
			}
			return core.Record{"entries": out}, nil
		},
	}
}

func (s *Store) accesses(ctx context.Context, c core.Call) ([]any, error) {
	const op = "tables.accesses"
	caller, snap := core.CallerFrom(ctx), s.Snapshot()
	if caller.Anonymous() {
		return nil, snap.Policy.May(caller, "verify_history")
	}
	limit := c.Int("limit", DefaultLimit)
	if limit < 1 || limit > MaxLimit {
		return nil, core.E(op, core.Limit, core.At{Column: "limit"}, "limit is 1 to 1000")
	}
	if kind := AccessKind(c.Text("kind")); kind != "" && !slices.Contains(accessKinds, kind) {
		return nil, core.E(op, core.Invalid, core.At{Column: "kind"}, fmt.Sprintf("there are no entries of the kind %q", kind))
	}
	table := ""
	if name := c.Text("table"); name != "" {
		if !snap.Policy.Sees(caller, name) && snap.Policy.May(caller, "verify_history") != nil {
			return []any{}, nil
		}
		t, err := snap.Schema.Table(name)
		if err != nil {
			return nil, core.E(op, err)
		}
		table = t.SQL()
	}
	auditor := snap.Policy.May(caller, "verify_history") == nil
	entries, err := readAccesses(ctx, s.conn(ctx), s.db.Dialect, func(b *db.Builder) {
		b.Write("TRUE")
		of := func(user core.ID) {
			b.Write(" AND (l.actor = ").Arg(user).Write(" OR l.behalf = ").Arg(user).Write(")")
		}
		if !auditor {
			b.Write(" AND (l.actor = ").Arg(caller.User).Write(" OR l.behalf = ").Arg(caller.User)
			b.Write(` OR l.table_name IS NULL AND l.id IN (SELECT access_id FROM "_access_record" WHERE record_id = `).Arg(caller.User).Write("))")
			b.Write(" AND (l.table_name IS NULL OR ")
			s.db.AnyOf(b, &core.Column{Kind: core.Text}, func() { b.Write("l.table_name") }, snap.seen(caller))
			b.Write(")")
		}
		if user := c.Text("user"); user != "" {
			of(core.ID(user))
		}
		if kind := c.Text("kind"); kind != "" {
			b.Write(" AND l.kind = ").Arg(kind)
		}
		if table != "" {
			b.Write(" AND l.table_name = ").Arg(table)
		}
		if record := c.Text("record"); record != "" {
			b.Write(` AND l.id IN (SELECT access_id FROM "_access_record" WHERE record_id = `).Arg(core.ID(record)).Write(")")
		}
		at := &core.Column{Kind: core.Timestamp}
		if since, ok := c.In["since"].(time.Time); ok {
			b.Write(" AND l.at >= ").Value(at, since)
		}
		if until, ok := c.In["until"].(time.Time); ok {
			b.Write(" AND l.at < ").Value(at, until)
		}
		if before := c.Text("before"); before != "" {
			b.Write(" AND l.id < ").Arg(core.ID(before))
		}
		b.Write(" ORDER BY l.id DESC LIMIT ").Arg(limit)
	})
	if err != nil {
		return nil, err
	}
	out := make([]any, len(entries))
	for i := range entries {
		e := &entries[i]
		if sits := cmp.Or(e.behalf, e.actor); !auditor && sits != "" && sits != caller.User {
			e.address, e.request = "", "" // where somebody else sits is his own affair
		}
		out[i] = entries[i].shown(snap)
	}
	return out, nil
}

// seen returns the physical names of the tables of which the caller may know.
func (n *Snapshot) seen(c core.Caller) []any {
	out := []any{}
	for _, t := range n.Schema.Tables() {
		if n.Policy.Sees(c, t.Name) {
			out = append(out, t.SQL())
		}
	}
	return out
}

// shown is the entry as the API gives it.
func (e *accessEntry) shown(snap *Snapshot) map[string]any {
	name := e.table
	if t, ok := snap.Schema.At(e.table); ok {
		name = t.Name
	}
	records := make([]any, len(e.records))
	for i, r := range e.records {
		records[i] = r
	}
	return map[string]any{
		"id": string(e.id), "at": time.UnixMicro(e.at).UTC(), "kind": string(e.kind), "actor": orNull(string(e.actor)), "behalf": orNull(string(e.behalf)),
		"cause": e.cause, "cause_id": orNull(e.causeID), "table": orNull(name), "records": records, "address": orNull(e.address), "request": orNull(e.request),
		"data": json.RawMessage(e.data), "sealed": e.seal != 0,
	}
}
