package flows

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// newRun is a run that is about to be.
type newRun struct {
	flow      *flow
	kind      string // of the trigger
	input     []byte // JSON object
	key       string
	cause     core.Cause // what led to it
	startedBy core.ID
	unit      core.ID // of the user that it acts as
	due       time.Time
	items     int
	refused   error // why it cannot run
}

// insert writes the rows of runs, and their jobs.
func (s *Service) insert(ctx context.Context, tx *db.Tx, runs []newRun) ([]core.ID, error) {
	for _, n := range runs {
		if n.refused != nil {
			s.count(tx, n.flow.name, failed)
		}
	}
	ids, rows := make([]core.ID, len(runs)), make([]core.Record, len(runs))
	var jobs []core.ID
	now := s.now()
	for i, n := range runs {
		ids[i] = core.NewID()
		d := n.flow.def
		r := core.Record{
			"id": string(ids[i]), "flow_id": string(n.flow.id), "flow_name": n.flow.name, "version": n.flow.version,
			"status": waiting, "trigger_kind": n.kind, "input": json.RawMessage(n.input), "key": orNull(n.key),
			"cause": n.cause.Kind, "cause_id": orNull(n.cause.ID), "depth": int64(n.cause.Depth), "started_by": string(n.startedBy),
			"owner_id": string(n.flow.runAs), "unit_id": string(n.unit), "created_at": now, "attempts": int64(0),
			"fence": int64(0), "lease": int64(0), "due": n.due.UnixMicro(), "deadline": int64(0), "timeout": d.timeout.Microseconds(),
			"queued": int64(0), "crashes": int64(0), "items": int64(n.items),
		}
		shown, err := shownTrigger(s.store.Snapshot(), d, n.input)
		if err != nil {
			return nil, core.E("flows.insert", err)
		}
		if shown != nil {
			r["input"], r["kept_input"] = json.RawMessage(shown), r["input"]
		}
		if d.trigger.cron != nil && d.trigger.cron.queue {
			r["queued"] = int64(1)
		}
		if n.unit == "" {
			r["unit_id"] = string(core.RootUnit)
		}
		if n.refused != nil {
			e := core.AsError(n.refused)
			r["status"], r["error"], r["error_kind"], r["finished_at"], r["kept_input"] = failed, e.Public(), string(e.Kind), now, nil
		} else {
			jobs = append(jobs, ids[i])
		}
		rows[i] = r
	}
	if err := tx.InsertRows(ctx, "_flow_run", runStored, rows); err != nil {
		return nil, core.E("flows.insert", err)
	}
	return ids, core.E("flows.insert", s.queue.Put(ctx, tx, jobs...))
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// run is a run that this process holds.
type run struct {
	id, flowID  core.ID
	version     int64
	fence       int64
	attempts    int64
	crashes     int64
	depth       int
	trigger     string // its kind
	deadline    time.Time
	owner, unit core.ID
	input       map[string]any
	flow        *definition // that it runs; nil before that is known
}

// claim makes the run ours. It returns nil when there is nothing to do, and db.Again when it is too early. With force
// nothing is too early.
func (s *Service) claim(ctx context.Context, id core.ID, force bool) (r *run, err error) {
	now := s.now()
	due := now.UnixMicro()
	if force {
		due = noTime
	}
	lease := now.Add(s.o.Lease).UnixMicro()
	b := db.New(s.db.Dialect).Write(`UPDATE "_flow_run" SET status = 'running', fence = fence + 1, attempts = attempts + 1, lease = `).Arg(lease).
		Write(", worker = ").Arg(s.me).Write(", started_at = coalesce(started_at, ").Value(&moment, now).
		Write("), deadline = CASE deadline WHEN 0 THEN timeout + ").Arg(now.UnixMicro()).Write(" ELSE deadline END WHERE id = ").Arg(id).
		Write(" AND due <= ").Arg(due).Write(" AND (status = 'waiting' OR status = 'running' AND lease < ").Arg(now.UnixMicro()).
		Write(`) AND (queued = 0 OR NOT EXISTS (SELECT 1 FROM "_flow_run" AS o WHERE o.flow_id = "_flow_run".flow_id AND o.status IN ('waiting', 'running') AND o.id < "_flow_run".id))`,
			` RETURNING CAST(flow_id AS text), version, fence, attempts, crashes, depth, deadline, trigger_kind, CAST(owner_id AS text), CAST(unit_id AS text), CAST(coalesce(kept_input, input) AS text)`)
	err = s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		return tx.Query(ctx, b, func(scan func(...any) error) error {
			r = &run{id: id}
			var depth, deadline int64
			var input []byte
			if err := scan(&r.flowID, &r.version, &r.fence, &r.attempts, &r.crashes, &depth, &deadline, &r.trigger, &r.owner, &r.unit, &input); err != nil {
				return err
			}
			r.depth, r.deadline = int(depth), time.UnixMicro(deadline)
			return unmarshal(input, &r.input)
		})
	})
	if err != nil || r != nil {
		return r, core.E("flows.claim", err)
	}
	return nil, s.notYet(ctx, id, now)
}

// notYet says why a run could not be claimed: db.Again when it waits for its time or its turn, nil when it is no longer
// ours to do. A run that another worker holds is taken up by the reaper when that one dies.
func (s *Service) notYet(ctx context.Context, id core.ID, now time.Time) error {
	again := time.Duration(-1)
	b := db.New(s.db.Dialect).Write(`SELECT due FROM "_flow_run" WHERE status = 'waiting' AND id = `).Arg(id)
	err := s.db.Query(ctx, b, func(scan func(...any) error) error {
		var due int64
		if err := scan(&due); err != nil {
			return err
		}
		if due >= suspended {
			return nil // it is woken by what it waits for
		}
		if again = time.UnixMicro(due).Sub(now); again <= 0 {
			again = time.Second // others of the flow come first
		}
		return nil
	})
	if err != nil || again < 0 {
		return core.E("flows.claim", err)
	}
	return db.Again{After: again}
}

func unmarshal(raw []byte, to any) error {
	if len(raw) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(to)
}

// mine writes that the run goes on, or ends; it fails with errLost when the run is not ours any more. more continues the SET.
func (s *Service) mine(ctx context.Context, tx *db.Tx, r *run, status string, lease time.Time, more func(b *db.Builder)) error {
	until := int64(0)
	if !lease.IsZero() {
		until = lease.UnixMicro()
	}
	b := db.New(tx.Dialect).Write(`UPDATE "_flow_run" SET status = `).Arg(status).Write(", lease = ").Arg(until)
	if more != nil {
		more(b)
	}
	b.Write(" WHERE id = ").Arg(r.id).Write(" AND fence = ").Arg(r.fence).Write(" AND status = 'running'")
	n, err := tx.Exec(ctx, b)
	if err == nil && n == 0 {
		return errLost
	}
	return err
}

// keep says that the run is still ours and goes on.
func (s *Service) keep(ctx context.Context, tx *db.Tx, r *run) error {
	return s.mine(ctx, tx, r, running, s.now().Add(s.o.Lease), nil)
}

// finish ends the run, with the job that ctx carries.
func (s *Service) finish(ctx context.Context, tx *db.Tx, r *run, status string, output []byte, cause *core.Error) error {
	err := s.mine(ctx, tx, r, status, time.Time{}, func(b *db.Builder) {
		b.Write(", worker = NULL, kept_input = NULL, finished_at = ").Value(&moment, s.now())
		if output != nil {
			b.Write(", output = ").Value(&anyJSON, json.RawMessage(output))
		}
		if cause != nil {
			b.Write(", error = ").Arg(cause.Public()).Write(", error_kind = ").Arg(string(cause.Kind))
		}
	})
	if err != nil {
		return err
	}
	if err := s.forget(ctx, tx, r.id); err != nil {
		return err
	}
	if r.flow == nil || r.flow.waits() {
		if err := s.dropWaits(ctx, tx, r.id); err != nil {
			return err
		}
	}
	if r.trigger == called {
		a := answered{Status: status, Output: output}
		if cause != nil {
			a.Error, a.Kind = cause.Public(), string(cause.Kind)
		}
		if err := s.answer(ctx, tx, r.id, a); err != nil {
			return err
		}
	}
	tx.AfterCommit(s.tell)
	if r.flow != nil {
		s.count(tx, r.flow.name, status)
	}
	return s.queue.Done(ctx, tx)
}

// count tells of the end of a run, when it is written.
func (s *Service) count(tx *db.Tx, flow, status string) {
	if s.o.Ended != nil {
		tx.AfterCommit(func() { s.o.Ended(flow, status) })
	}
}

// Open returns how many runs of flows have not ended, by their status, on all instances.
func (s *Service) Open(ctx context.Context) (map[string]int64, error) {
	out := map[string]int64{waiting: 0, running: 0}
	b := db.New(s.db.Dialect).Write(`SELECT status, count(*) FROM "_flow_run" WHERE status IN ('waiting', 'running') GROUP BY status`)
	err := s.db.Query(ctx, b, func(scan func(...any) error) error {
		var status string
		var n int64
		err := scan(&status, &n)
		out[status] = n
		return err
	})
	return out, core.E("flows.Open", err)
}

// forget drops what only a run that goes on needs of its steps.
func (s *Service) forget(ctx context.Context, tx *db.Tx, run core.ID) error {
	b := db.New(tx.Dialect).Write(`UPDATE "_flow_step" SET kept_input = NULL, kept_output = NULL WHERE run_id = `).Arg(run).
		Write(" AND (kept_input IS NOT NULL OR kept_output IS NOT NULL)")
	_, err := tx.Exec(ctx, b)
	return err
}

// park puts the run off. The lease outlasts the time, so that a crash before the queue knows is noticed.
func (s *Service) park(ctx context.Context, tx *db.Tx, r *run, until time.Time) error {
	return s.mine(ctx, tx, r, waiting, until.Add(s.o.Lease), func(b *db.Builder) {
		b.Write(", worker = NULL, due = ").Arg(until.UnixMicro())
	})
}

// reap takes runs from workers that are gone and gives them to the queue again; with all, those of every worker.
func (s *Service) reap(ctx context.Context, all bool) error {
	const op = "flows.reap"
	now := s.now()
	b := db.New(s.db.Dialect).Write(`SELECT CAST(id AS text), fence FROM "_flow_run" WHERE lease > 0`)
	if !all {
		b.Write(" AND lease < ").Arg(now.UnixMicro())
	}
	gone, err := s.fences(ctx, b)
	if err != nil {
		return core.E(op, err)
	}
	before, expired := now.Add(-s.o.Lease), now
	if all {
		before, expired = now.Add(time.Hour), time.UnixMicro(1<<62)
	}
	never, err := s.neverBegun(ctx, before)
	if err != nil {
		return core.E(op, err)
	}
	maps.Copy(gone, never)
	for id, fence := range gone {
		if err := s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return s.requeue(ctx, tx, id, fence, expired) }); err != nil {
			return core.E(op, err)
		}
	}
	if len(gone) > 0 {
		s.log.InfoContext(ctx, "flows: runs were interrupted and go on", "runs", len(gone))
	}
	return nil
}

func (s *Service) fences(ctx context.Context, b *db.Builder) (map[core.ID]int64, error) {
	out := map[core.ID]int64{}
	err := s.db.Query(ctx, b.Write(" ORDER BY id LIMIT 1000"), func(scan func(...any) error) error {
		var id core.ID
		var fence int64
		err := scan(&id, &fence)
		out[id] = fence
		return err
	})
	return out, err
}

// neverBegun returns runs whose job was given to a worker that died before it could claim them.
func (s *Service) neverBegun(ctx context.Context, before time.Time) (map[core.ID]int64, error) {
	ids, err := s.queue.Handed(ctx, before)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	b := db.New(s.db.Dialect).Write(`SELECT CAST(id AS text), fence FROM "_flow_run" WHERE status = 'waiting' AND lease = 0 AND due < `).Arg(before.UnixMicro()).Write(" AND ")
	s.db.AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Write("id") }, list)
	return s.fences(ctx, b)
}

// requeue gives the run to the queue again. Should that job get lost too, the lease runs out.
func (s *Service) requeue(ctx context.Context, tx *db.Tx, id core.ID, fence int64, expired time.Time) error {
	b := db.New(tx.Dialect).Write(`UPDATE "_flow_run" SET crashes = crashes + CASE status WHEN 'running' THEN 1 ELSE 0 END, status = 'waiting', fence = fence + 1, worker = NULL, lease = `).
		Arg(s.now().Add(s.o.Lease).UnixMicro()).Write(" WHERE id = ").Arg(id).Write(" AND fence = ").Arg(fence).Write(" AND lease < ").Arg(expired.UnixMicro()).Write(" AND status IN ('waiting', 'running')")
	n, err := tx.Exec(ctx, b)
	if err != nil || n == 0 {
		return err // another process was faster, or the worker lives
	}
	return s.queue.Put(ctx, tx, id)
}

// beat keeps the runs of this process, and lets go of those that are no longer ours.
func (s *Service) beat(ctx context.Context) error {
	const op = "flows.beat"
	held := s.held()
	if len(held) == 0 {
		return nil
	}
	b := db.New(s.db.Dialect).Write(`UPDATE "_flow_run" SET lease = `).Arg(s.now().Add(s.o.Lease).UnixMicro()).Write(" WHERE lease > 0 AND status = 'running' AND worker = ").Arg(s.me)
	if _, err := s.db.Exec(ctx, b); err != nil {
		return core.E(op, err)
	}
	b = db.New(s.db.Dialect).Write(`SELECT CAST(id AS text) FROM "_flow_run" WHERE lease > 0 AND status = 'running' AND worker = `).Arg(s.me)
	err := s.db.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		err := scan(&id)
		delete(held, id)
		return err
	})
	if err != nil {
		return core.E(op, err)
	}
	for _, drop := range held {
		drop(errLost)
	}
	return nil
}

// Run is how a run stands.
type Run struct {
	ID     core.ID
	Status string
	Error  string // what the author of the flow may read
}

// Ended reports whether nothing more will happen.
func (r Run) Ended() bool {
	return r.Status == succeeded || r.Status == failed || r.Status == cancelled
}

func (s *Service) read(ctx context.Context, c db.Conn, id core.ID) (Run, error) {
	r := Run{ID: id}
	found := false
	b := db.New(s.db.Dialect).Write(`SELECT status, error FROM "_flow_run" WHERE id = `).Arg(id)
	err := c.Query(ctx, b, func(scan func(...any) error) error {
		found = true
		return scan(&r.Status, &r.Error)
	})
	if err == nil && !found {
		err = noRun(id)
	}
	return r, core.E("flows.read", err)
}

func noRun(id core.ID) error {
	return core.E("flows.run", core.NotFound, core.At{Table: "_flow_run"}, fmt.Sprintf("there is no run with the id %s", id))
}

// Loops end here.
const maxDepth = 16

// tooDeep returns an error when a run that the cause leads to would be one too many; it names the flows that led there.
func (s *Service) tooDeep(ctx context.Context, c db.Conn, flow string, cause core.Cause) error {
	if cause.Depth < maxDepth {
		return nil
	}
	chain := flow
	for id, n := cause.ID, 0; id != "" && n < maxDepth; n++ {
		if _, err := core.ParseID(id); err != nil {
			break
		}
		var name, kind, next string
		b := db.New(s.db.Dialect).Write(`SELECT flow_name, cause, cause_id FROM "_flow_run" WHERE id = `).Arg(id)
		if err := c.Query(ctx, b, func(scan func(...any) error) error { return scan(&name, &kind, &next) }); err != nil {
			return core.E("flows.tooDeep", err)
		}
		if name != "" {
			chain = name + " -> " + chain
		}
		if id = next; kind != "flow" {
			id = ""
		}
	}
	return core.E("flows.tooDeep", core.Limit, "flows start each other in a loop, which ends after "+strconv.Itoa(maxDepth)+" runs: "+chain+"; let a condition of the trigger leave out what the flow itself changes")
}
