package tables

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// Once names a request that its caller may send again when he does not know what became of it. Keys of different callers
// have nothing to do with each other.
type Once struct {
	Key  string   // at most [MaxKey] bytes
	Hash [32]byte // of everything that the request asks for

	Secret bool // the answer is not kept, only that the request was done
}

// What is kept of requests.
const (
	MaxKey     = 255
	maxAnswer  = 256 << 10 // bytes; a longer answer is not kept, only that the request was done
	keepAnswer = 24 * time.Hour
	sweepEvery = 10 * time.Minute
)

// Answered returns the answer of a request that was done before, if it was.
func (s *Store) Answered(ctx context.Context, o Once) (answer []byte, done bool, err error) {
	const op = "tables.Answered"
	who, err := o.caller(ctx)
	if err != nil {
		return nil, false, core.E(op, err)
	}
	answer, done, err = o.find(ctx, s.conn(ctx), s.db.Dialect, s.Snapshot(), who, s.cutoff(time.Now()))
	return answer, done, core.E(op, err)
}

// Once runs f, whose answer it keeps for [Store.Answered] in the unit of work; or it returns the answer of the same request
// that was done before. While that one is running, elsewhere perhaps, Once waits for it. A request that fails is not kept,
// and can be sent again.
func (tx *Tx) Once(ctx context.Context, o Once, f func() ([]byte, error)) (answer []byte, repeated bool, err error) {
	const op = "tables.Once"
	who, err := o.caller(ctx)
	if err != nil {
		return nil, false, core.E(op, tx.keep(err))
	}
	claimed, err := o.claim(ctx, tx, who)
	if err == nil && !claimed {
		answer, repeated, err = o.find(ctx, tx.db, tx.db.Dialect, tx.snap, who, tx.store.cutoff(tx.now))
		if err == nil && !repeated {
			claimed, err = o.claimOld(ctx, tx, who)
		}
	}
	if err != nil || !claimed {
		return answer, repeated, core.E(op, tx.keep(err))
	}
	if answer, err = f(); err != nil {
		return nil, false, core.E(op, tx.keep(err))
	}
	return answer, false, core.E(op, tx.keep(o.record(ctx, tx, who, answer)))
}

// caller is whose key it is.
func (o Once) caller(ctx context.Context) (string, error) {
	c := core.CallerFrom(ctx)
	if c.Anonymous() {
		return "", core.E("tables.Once", core.Unknown, "a request with a key belongs to somebody: sign in first")
	}
	if o.Key == "" || len(o.Key) > MaxKey {
		return "", core.E("tables.Once", core.Invalid, fmt.Sprintf("the key of a request has 1 to %d bytes", MaxKey))
	}
	if c.Behalf != "" {
		return string(c.User) + "/" + string(c.Behalf), nil
	}
	return string(c.User), nil
}

func (o Once) hash() string { return hex.EncodeToString(o.Hash[:]) }

// claim takes the key for this unit of work. On a database with several writers it waits for another that has it.
func (o Once) claim(ctx context.Context, tx *Tx, who string) (bool, error) {
	at := core.Column{Kind: core.Timestamp}
	b := db.New(tx.db.Dialect).Write(`INSERT INTO "_request" (caller, key, hash, rights, at) VALUES (`).Arg(who).Write(", ").Arg(o.Key).Write(", ").Arg(o.hash()).
		Write(", ").Arg(tx.snap.rights(core.CallerFrom(ctx))).Write(", ").Value(&at, tx.now).Write(") ON CONFLICT (caller, key) DO NOTHING")
	n, err := tx.db.Exec(ctx, b)
	return n == 1, err
}

// claimOld takes a key that is no longer kept.
func (o Once) claimOld(ctx context.Context, tx *Tx, who string) (bool, error) {
	b := db.New(tx.db.Dialect).Write(`DELETE FROM "_request" WHERE caller = `).Arg(who).Write(" AND key = ").Arg(o.Key)
	if _, err := tx.db.Exec(ctx, b); err != nil {
		return false, err
	}
	claimed, err := o.claim(ctx, tx, who)
	if err == nil && !claimed {
		err = core.E("tables.claimOld", core.Conflict, "the same request is being done: try again")
	}
	return claimed, err
}

// find returns the answer that is kept. It is not for another request, nor for a caller whose rights have changed: he may
// not be allowed to see it any more.
func (o Once) find(ctx context.Context, conn db.Conn, d db.Dialect, snap *Snapshot, who string, after time.Time) (answer []byte, done bool, err error) {
	const op = "tables.find"
	at := core.Column{Kind: core.Timestamp}
	var hash, rights string
	b := db.New(d).Write(`SELECT hash, rights, answer FROM "_request" WHERE caller = `).Arg(who).Write(" AND key = ").Arg(o.Key).Write(" AND at > ").Value(&at, after)
	err = conn.Query(ctx, b, func(scan func(...any) error) error {
		done = true
		return scan(&hash, &rights, &answer)
	})
	switch {
	case err != nil || !done:
		return nil, false, err
	case hash != o.hash():
		return nil, false, core.E(op, core.Invalid, "another request was sent with this key: give each request a key of its own")
	case rights != snap.rights(core.CallerFrom(ctx)):
		return nil, false, core.E(op, core.Denied, "this request was done, and your rights have changed since: read what you need, and do not send it again")
	case len(answer) == 0:
		return nil, false, core.E(op, core.Limit, "this request was done, and its answer was too long or too secret to be kept: read what you need, and do not send it again")
	}
	return answer, true, nil
}

// record keeps the answer.
func (o Once) record(ctx context.Context, tx *Tx, who string, answer []byte) error {
	if o.Secret || len(answer) > maxAnswer {
		return nil
	}
	b := db.New(tx.db.Dialect).Write(`UPDATE "_request" SET answer = `).Arg(string(answer)).Write(" WHERE caller = ").Arg(who).Write(" AND key = ").Arg(o.Key)
	_, err := tx.db.Exec(ctx, b)
	return err
}

// rights is a digest of what decides what the caller may read: his roles, his place, and everything that roles and column
// profiles give.
func (n *Snapshot) rights(c core.Caller) string {
	n.granted.Do(func() {
		h := sha256.New()
		for _, r := range n.access.Rules {
			if r.OfRoles() {
				_, _ = h.Write([]byte(r.ID))
			}
		}
		_, _ = h.Write(n.access.ColumnDigest())
		n.denyDigest(h)
		n.grants = h.Sum(nil)
	})
	roles, teams, below := slices.Sorted(slices.Values(c.Roles)), slices.Sorted(slices.Values(c.Teams)), slices.Sorted(slices.Values(c.Below))
	own, err := json.Marshal([]any{c.Unit, roles, teams, below, c.Bases, c.Reports, c.ReportsBelow, c.Profiles})
	if err != nil {
		panic(err) // texts
	}
	sum := sha256.Sum256(append(own, n.grants...))
	return hex.EncodeToString(sum[:])
}

func (s *Store) cutoff(now time.Time) time.Time { return now.UTC().Add(-s.o.KeepAnswers) }

// DropAnswers deletes the answers that are kept no longer, and returns how many there were.
func (s *Store) DropAnswers(ctx context.Context) (int64, error) {
	at := core.Column{Kind: core.Timestamp}
	n, err := s.db.Exec(ctx, db.New(s.db.Dialect).Write(`DELETE FROM "_request" WHERE at <= `).Value(&at, s.cutoff(time.Now())))
	return n, core.E("tables.DropAnswers", err)
}

// Sweep deletes what is kept for a time only, again and again until ctx ends.
func (s *Store) Sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if _, err := s.DropAnswers(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "tables: cannot delete old answers", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
