package tables

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// headOutput describes a seal: the end of the chain.
var headOutput = []core.Column{
	text("head", "The hash of the last seal, and so of everything before it: note it elsewhere, and verify_history tells whether what it stands for is still there. Null when nothing is sealed yet."),
	{Name: "seal", Kind: core.Integer, Required: true, Doc: "The number of the last seal; 0 when there is none."},
	{Name: "sealed_at", Kind: core.Timestamp, Doc: "When it was made."},
	{Name: "unsealed", Kind: core.Integer, Required: true, Doc: "Versions of records that are not sealed yet."},
}

// HistoryHead tells where the chain of seals ends: of [Verified] it fills Head, Seal, At and Unsealed.
func (s *Store) HistoryHead(ctx context.Context) (*Verified, error) {
	const op = "tables.HistoryHead"
	last, err := lastSeal(ctx, s.conn(ctx), s.db.Dialect)
	if err != nil {
		return nil, core.E(op, err)
	}
	out := &Verified{}
	if last.number > 0 {
		out.Seal, out.Head, out.At = last.number, last.head.String(), time.UnixMicro(last.at).UTC()
	}
	b := db.New(s.db.Dialect).Write(`SELECT count(*) FROM "_event" AS e WHERE `)
	s.db.EventsBetween(b, last.to.Tx, last.to.Seq, math.MaxInt64, math.MaxInt64)
	err = s.conn(ctx).Query(ctx, b, func(scan func(...any) error) error { return scan(&out.Unsealed) })
	return out, core.E(op, err)
}

func (v *Verified) head() core.Record {
	out := core.Record{"head": orNull(v.Head), "seal": v.Seal, "unsealed": v.Unsealed, "sealed_at": nil}
	if !v.At.IsZero() {
		out["sealed_at"] = v.At
	}
	return out
}

func (s *Store) historyHead() core.Action {
	return core.Action{
		Name: "history_head", Doc: "Tells where the chain of seals of the history ends, to be noted elsewhere.", Privilege: "verify_history", Output: headOutput,
		Examples: []core.Example{{In: core.Record{}}},
		Run: func(ctx context.Context, _ core.Call) (core.Record, error) {
			v, err := s.HistoryHead(ctx)
			if err != nil {
				return nil, core.E("tables.history_head", err)
			}
			return v.head(), nil
		},
	}
}

func (s *Store) verifyHistory() core.Action {
	count := func(name, doc string) core.Column {
		return core.Column{Name: name, Kind: core.Integer, Required: true, Doc: doc}
	}
	return core.Action{
		Name: "verify_history", Privilege: "verify_history", Alone: true,
		Doc: "Compares the history with its seals, and the rows of tables with their last versions. It reads all of it, within the time of a request: a large database is verified by colonnade verify.",
		Input: []core.Column{
			text("table", "Only the records of this table."),
			{Name: "heads", Kind: core.Text, List: true, Doc: "Heads that were noted: each must be that of a seal."},
			text("since", "A head that was noted: only what was sealed since."),
		},
		Output: append([]core.Column{
			{Name: "clean", Kind: core.Boolean, Required: true, Doc: "Whether there is no problem."},
			count("seals", "The seals that were looked at."), count("versions", "Versions that are as they were sealed."),
			count("erased", "Versions whose contents were purged or dropped, as the audit says."), count("records", "Records whose row is what their last version says."),
			count("problem_count", "The problems."),
			{Name: "problems", Kind: core.Object, List: true, Required: true, Doc: "The first hundred of them.", Fields: []core.Column{
				text("kind", "edited, removed or forged: a version; event: the event of a version; seal, audit: the chain itself; current: the row of a record; definition: a table, the rights or a share; head: a head that was noted."),
				text("table", "The table."), {Name: "id", Kind: core.UUID, Doc: "The record."}, {Name: "version", Kind: core.Integer, Doc: "The version; of audit the row."},
				{Name: "seal", Kind: core.Integer, Doc: "The seal."}, text("message", "What is wrong."),
			}},
		}, headOutput...),
		Examples: []core.Example{{In: core.Record{"table": "product"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			o := Verify{Table: c.Text("table"), Since: c.Text("since")}
			heads, _ := c.In["heads"].([]any)
			for _, h := range heads {
				o.Heads = append(o.Heads, h.(string))
			}
			v, err := s.Verify(ctx, o)
			if err != nil {
				return nil, core.E("tables.verify_history", err)
			}
			return v.record(), nil
		},
	}
}

func (v *Verified) record() core.Record {
	out := v.head()
	problems := []any{}
	for _, p := range v.Problems {
		one := map[string]any{"kind": p.Kind, "table": orNull(p.Table), "id": orNull(string(p.ID)), "version": nil, "seal": nil, "message": p.Message}
		if p.Version != 0 {
			one["version"] = p.Version
		}
		if p.Seal != 0 {
			one["seal"] = p.Seal
		}
		problems = append(problems, one)
	}
	out["clean"], out["seals"], out["versions"], out["erased"], out["records"] = v.Count == 0, v.Seals, v.Versions, v.Erased, v.Records
	out["problem_count"], out["problems"] = v.Count, problems
	return out
}

func (s *Store) readAudit() core.Action {
	return core.Action{
		Name: "read_audit", Privilege: "verify_history", Doc: "Lists what was done to the schema, to rights and to the history itself, the newest first.",
		Input: []core.Column{
			text("kind", "Only of this kind: "+string(auditSchema)+", "+string(auditRights)+", "+string(auditShare)+", "+string(auditPurge)+", "+string(auditRetention)+" or "+string(auditEvents)+"."),
			{Name: "before", Kind: core.Integer, Doc: "Only rows in front of the one with this number."},
			{Name: "limit", Kind: core.Integer, Doc: "How many at most, 1 to 1000; 100 when left out."},
		},
		Output: []core.Column{{Name: "entries", Kind: core.Object, List: true, Required: true, Doc: "The rows.", Fields: []core.Column{
			{Name: "seq", Kind: core.Integer, Required: true, Doc: "The number of the row."}, text("kind", "What it is about."),
			{Name: "at", Kind: core.Timestamp, Required: true, Doc: "When."}, {Name: "actor", Kind: core.UUID, Required: true, Doc: "Who did it."},
			{Name: "behalf", Kind: core.UUID, Doc: "Who made the request, when that was another one than the actor."}, text("cause", "Why."), text("cause_id", "Which flow run and the like."),
			{Name: "data", Kind: core.JSON, Required: true, Doc: "What was done."},
		}}},
		Examples: []core.Example{{In: core.Record{"kind": "schema", "limit": int64(10)}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			out, err := s.auditEntries(ctx, auditKind(c.Text("kind")), c.Int("before", math.MaxInt64), c.Int("limit", DefaultLimit))
			if err != nil {
				return nil, core.E("tables.read_audit", err)
			}
			return core.Record{"entries": out}, nil
		},
	}
}

func (s *Store) auditEntries(ctx context.Context, kind auditKind, before, limit int64) ([]any, error) {
	if limit < 1 || limit > MaxLimit {
		return nil, core.E("tables.auditEntries", core.Limit, core.At{Column: "limit"}, "limit is 1 to 1000")
	}
	b := db.New(s.db.Dialect).Write("SELECT ", auditColumns, ` FROM "_audit" WHERE seq < `).Arg(before)
	if kind != "" {
		b.Write(" AND kind = ").Arg(string(kind))
	}
	b.Write(" ORDER BY seq DESC LIMIT ").Arg(limit)
	out := []any{}
	err := s.conn(ctx).Query(ctx, b, func(scan func(...any) error) error {
		var e auditEntry
		err := e.scan(scan)
		out = append(out, map[string]any{
			"seq": e.seq, "kind": string(e.kind), "at": time.UnixMicro(e.at).UTC(), "actor": string(e.actor), "behalf": orNull(string(e.behalf)),
			"cause": e.cause, "cause_id": orNull(e.causeID), "data": json.RawMessage(e.data),
		})
		return err
	})
	return out, err
}
