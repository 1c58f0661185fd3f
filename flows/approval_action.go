package flows

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// Answer answers a request for approval, for the caller of ctx, of whom it is asked. It returns how the request stands then: open, approved or
// rejected. What was said stays said. It joins the unit of work that ctx carries.
func (s *Service) Answer(ctx context.Context, id core.ID, approve bool, comment string) (status string, err error) {
	const op = "flows.Answer"
	if len([]rune(comment)) > maxComment {
		return "", core.E(op, core.Invalid, core.At{Column: "comment"}, fmt.Sprintf("a comment has at most %d characters", maxComment))
	}
	decision := rejected
	if approve {
		decision = approved
	}
	err = s.store.Tx(ctx, tables.TxOptions{Again: true}, func(ctx context.Context, tx *tables.Tx) error {
		q, err := s.mineToAnswer(ctx, tx, id)
		if err != nil {
			return err
		}
		b := db.New(s.db.Dialect).Write(`UPDATE "_flow_assignment" SET decision = `).Arg(decision).Write(", answered_at = ").Value(&moment, s.now()).Write(", comment = ")
		if comment = strings.TrimSpace(comment); comment == "" {
			b.Write("NULL")
		} else {
			b.Arg(comment)
		}
		if _, err := tx.DB().Exec(ctx, b.Write(" WHERE id = ").Arg(q.assignment)); err != nil {
			return err
		}
		status, err = s.settle(ctx, tx.DB(), q)
		return err
	})
	return status, core.E(op, err)
}

// asked is a request as one of those sees it of whom it is asked.
type asked struct {
	id, run, assignment core.ID
	quorum              int64
}

// mineToAnswer returns the open request of that id which the caller has yet to answer; the run is locked until the end of the transaction. A
// request of which others are asked is not there.
func (s *Service) mineToAnswer(ctx context.Context, tx *tables.Tx, id core.ID) (*asked, error) {
	const op = "flows.approval"
	who := core.CallerFrom(ctx).User
	if who == "" {
		return nil, core.E(op, core.Unknown, "sign in first")
	}
	q := &asked{id: id}
	b := db.New(s.db.Dialect).Write(`SELECT CAST(q.run_id AS text), CAST(a.id AS text), q.quorum FROM "_flow_approval" AS q JOIN "_flow_assignment" AS a ON a.approval_id = q.id WHERE q.id = `).Arg(id).
		Write(" AND a.owner_id = ").Arg(who)
	if err := tx.DB().Query(ctx, b, func(scan func(...any) error) error { return scan(&q.run, &q.assignment, &q.quorum) }); err != nil {
		return nil, err
	}
	if q.run == "" {
		return nil, core.E(op, core.NotFound, fmt.Sprintf("you are not asked for an approval with the id %s", id))
	}
	if _, err := tx.DB().Exec(ctx, db.New(s.db.Dialect).Write(`UPDATE "_flow_run" SET due = due WHERE id = `).Arg(q.run)); err != nil {
		return nil, err
	}
	var status, decision string
	b = db.New(s.db.Dialect).Write(`SELECT q.status, coalesce(a.decision, '') FROM "_flow_approval" AS q JOIN "_flow_assignment" AS a ON a.approval_id = q.id WHERE a.id = `).Arg(q.assignment)
	if err := tx.DB().Query(ctx, b, func(scan func(...any) error) error { return scan(&status, &decision) }); err != nil {
		return nil, err
	}
	switch {
	case decision == delegated:
		return nil, core.E(op, core.Conflict, "you have handed this request on to somebody else")
	case decision != "":
		return nil, core.E(op, core.Conflict, "you have answered already: "+decision)
	case status != isOpen:
		return nil, core.E(op, core.Conflict, "the request is closed: "+strings.ReplaceAll(status, "_", " "))
	}
	return q, nil
}

// settle closes the request when enough have approved, or too few still can, and tells the run that waits for it.
func (s *Service) settle(ctx context.Context, tx *db.Tx, q *asked) (string, error) {
	var yes, left int64
	b := db.New(s.db.Dialect).Write(`SELECT coalesce(sum(CASE decision WHEN 'approved' THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN decision IS NULL THEN 1 ELSE 0 END), 0) FROM "_flow_assignment" WHERE approval_id = `).Arg(q.id)
	if err := tx.Query(ctx, b, func(scan func(...any) error) error { return scan(&yes, &left) }); err != nil {
		return "", err
	}
	status := isOpen
	switch {
	case yes >= q.quorum:
		status = approved
	case yes+left < q.quorum:
		status = rejected
	default:
		return status, nil
	}
	b = db.New(s.db.Dialect).Write(`UPDATE "_flow_approval" SET status = `).Arg(status).Write(", closed_at = ").Value(&moment, s.now()).Write(" WHERE id = ").Arg(q.id)
	if _, err := tx.Exec(ctx, b); err != nil {
		return "", err
	}
	answers, err := s.answers(ctx, tx, q.id)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(verdict{Approved: status == approved, Answers: answers})
	if err != nil {
		return "", core.E("flows.settle", err)
	}
	found, err := awaitings(ctx, tx, db.New(s.db.Dialect).Write(selectAwaiting, " AND source = ").Arg(approving+string(q.id)))
	for _, w := range found {
		if err == nil {
			err = s.deliver(ctx, tx, w.id, w.run, raw, "")
		}
	}
	return status, err
}

// delegated is the decision of who has handed a request on.
const delegated = "delegated"

// Delegate has somebody else answer a request in place of the caller of ctx, of whom it is asked. That it was so is kept.
func (s *Service) Delegate(ctx context.Context, id core.ID, to string) error {
	const op = "flows.Delegate"
	err := s.store.Tx(ctx, tables.TxOptions{Again: true}, func(ctx context.Context, tx *tables.Tx) error {
		q, err := s.mineToAnswer(ctx, tx, id)
		if err != nil {
			return err
		}
		me, at := core.CallerFrom(ctx).User, core.At{Column: "to"}
		user, _, err := s.account(ctx, tx, to)
		if err != nil {
			return err
		}
		other, bad := tx.Snapshot().Policy.Caller(user, core.Cause{})
		switch {
		case user == "" || bad != nil:
			return core.E(op, core.Invalid, at, fmt.Sprintf("there is no user %q who could answer: use the e-mail address or the id", to))
		case user == me:
			return core.E(op, core.Invalid, at, "that is yourself: answer the request")
		}
		var there, count int64
		var starter core.ID
		b := db.New(s.db.Dialect).Write(`SELECT coalesce(sum(CASE WHEN a.owner_id = `).Arg(user).Write(` THEN 1 ELSE 0 END), 0), count(*), CAST(q.asked_by AS text) FROM "_flow_assignment" AS a JOIN "_flow_approval" AS q ON q.id = a.approval_id WHERE q.id = `).
			Arg(id).Write(" GROUP BY q.asked_by")
		if err := tx.DB().Query(ctx, b, func(scan func(...any) error) error { return scan(&there, &count, &starter) }); err != nil {
			return err
		}
		four, err := s.fourEyes(ctx, tx, q)
		switch {
		case err != nil:
			return err
		case there > 0:
			return core.E(op, core.Conflict, at, "the request is asked of that user already")
		case four && user == starter:
			return core.E(op, core.Denied, at, "who has started the run may not answer this request")
		case count >= 2*maxAssignees:
			return core.E(op, core.Limit, "the request was handed on too often: answer it")
		}
		b = db.New(s.db.Dialect).Write(`UPDATE "_flow_assignment" SET decision = `).Arg(delegated).Write(", answered_at = ").Value(&moment, s.now()).Write(" WHERE id = ").Arg(q.assignment)
		if _, err := tx.DB().Exec(ctx, b); err != nil {
			return err
		}
		return s.assign(ctx, tx.DB(), id, person{user, other.Unit}, me)
	})
	return core.E(op, err)
}

// fourEyes reports whether who has started the run must not answer.
func (s *Service) fourEyes(ctx context.Context, tx *tables.Tx, q *asked) (yes bool, err error) {
	var flow core.ID
	var version int64
	var path string
	b := db.New(s.db.Dialect).Write(`SELECT CAST(r.flow_id AS text), r.version, q.path FROM "_flow_approval" AS q JOIN "_flow_run" AS r ON r.id = q.run_id WHERE q.id = `).Arg(q.id)
	if err := tx.DB().Query(ctx, b, func(scan func(...any) error) error { return scan(&flow, &version, &path) }); err != nil {
		return false, err
	}
	d, err := s.version(ctx, flow, version)
	if err != nil {
		return false, err
	}
	d.each(func(st *step) { yes = yes || st.path == path && st.asks != nil && st.asks.notStarter })
	return yes, nil
}

// Approval is a request that somebody is asked.
type Approval struct {
	ID       core.ID
	Flow     string
	Title    string
	Details  *string // JSON
	Status   string
	Quorum   int64
	Approved int64
	Answer   *string // approved, rejected, delegated; nil before that
	AskedBy  core.ID
	Asked    db.Time
	Due      db.Time // zero for none
}

// The limits of how many requests are listed.
const (
	defaultApprovals = 50
	maxApprovals     = 500
)

// Approvals returns the requests that the caller of ctx is asked and that are open, the oldest first; with all those too that are decided, or
// that he has answered, the newest first.
func (s *Service) Approvals(ctx context.Context, all bool, most int) (out []Approval, err error) {
	const op = "flows.Approvals"
	if most < 1 || most > maxApprovals {
		return nil, core.E(op, core.Invalid, core.At{Column: "limit"}, fmt.Sprintf("limit is a number from 1 to %d", maxApprovals))
	}
	text := `SELECT q.id, q.flow_name AS flow, q.title, q.details, q.status, q.quorum, (SELECT count(*) FROM "_flow_assignment" AS o WHERE o.approval_id = q.id AND o.decision = 'approved') AS approved,
		a.decision AS answer, q.asked_by, q.created_at AS asked, q.due_at AS due FROM "_flow_assignment" AS a JOIN "_flow_approval" AS q ON q.id = a.approval_id WHERE a.owner_id = ? `
	if all {
		text += `ORDER BY a.created_at DESC, q.id DESC LIMIT ?`
	} else {
		text += `AND q.status = 'open' AND a.decision IS NULL ORDER BY a.created_at, q.id LIMIT ?`
	}
	who := core.CallerFrom(ctx).User
	if who == "" {
		return nil, core.E(op, core.Unknown, "sign in first")
	}
	err = s.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		out = nil
		return tx.DB().Gorm(ctx).Raw(text, who, most).Scan(&out).Error
	})
	return out, core.E(op, err)
}

// approvalActions are what people do who are asked.
func (s *Service) approvalActions() []core.Action {
	id := core.Column{Name: "id", Kind: core.UUID, Required: true, Doc: "The request, as my_approvals tells it."}
	status := core.Column{Name: "status", Kind: core.Text, Required: true, Doc: "How the request stands: open, approved or rejected."}
	return []core.Action{{
		Name: "my_approvals", Doc: "Lists what flows ask you to approve and you have not answered, the oldest first.", Personal: true,
		Input: []core.Column{
			{Name: "all", Kind: core.Boolean, Doc: "Also those that are decided, or that you have answered; the newest first."},
			{Name: "limit", Kind: core.Integer, Doc: "How many at most; 50 when left out, at most 500."},
		},
		Output: []core.Column{{Name: "approvals", Kind: core.Object, List: true, Required: true, Doc: "The requests.", Fields: []core.Column{
			id, {Name: "flow", Kind: core.Text, Required: true, Doc: "The flow that asks."}, {Name: "title", Kind: core.Text, Required: true, Doc: "What is to be approved."},
			{Name: "details", Kind: core.JSON, Doc: "More about it."}, status, {Name: "quorum", Kind: core.Integer, Required: true, Doc: "How many must approve."},
			{Name: "approved", Kind: core.Integer, Required: true, Doc: "How many have."}, {Name: "answer", Kind: core.Text, Doc: "What you have answered: approved, rejected or delegated."},
			{Name: "asked_by", Kind: core.UUID, Required: true, Doc: "Who started the run, or changed the record."},
			{Name: "asked_at", Kind: core.Timestamp, Required: true, Doc: "Since when."}, {Name: "due_at", Kind: core.Timestamp, Doc: "When the run goes on without an answer."},
		}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			all, _ := c.In["all"].(bool)
			found, err := s.Approvals(ctx, all, int(c.Int("limit", defaultApprovals)))
			list := []any{}
			for _, a := range found {
				one := map[string]any{"id": string(a.ID), "flow": a.Flow, "title": a.Title, "status": a.Status, "quorum": a.Quorum, "approved": a.Approved, "asked_by": string(a.AskedBy), "asked_at": a.Asked.Time}
				if a.Details != nil && *a.Details != "null" {
					one["details"] = json.RawMessage(*a.Details)
				}
				if a.Answer != nil {
					one["answer"] = *a.Answer
				}
				if !a.Due.IsZero() {
					one["due_at"] = a.Due.Time
				}
				list = append(list, one)
			}
			return core.Record{"approvals": list}, err
		},
	}, {
		Name: "answer_approval", Doc: "Answers what a flow asks you to approve. What was said stays said.", Personal: true,
		Input:  []core.Column{id, {Name: "approve", Kind: core.Boolean, Required: true, Doc: "Yes or no."}, {Name: "comment", Kind: core.LongText, Doc: "Why; at most 4,000 characters."}},
		Output: []core.Column{status},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			yes, _ := c.In["approve"].(bool)
			status, err := s.Answer(ctx, core.ID(c.Text("id")), yes, c.Text("comment"))
			return core.Record{"status": status}, err
		},
	}, {
		Name: "delegate_approval", Doc: "Has somebody else answer in your place what a flow asks you to approve.", Personal: true,
		Input:  []core.Column{id, {Name: "to", Kind: core.Text, Required: true, Doc: "The e-mail address or the id of a user."}},
		Output: []core.Column{id},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			return core.Record{"id": c.In["id"]}, s.Delegate(ctx, core.ID(c.Text("id")), c.Text("to"))
		},
	}}
}
