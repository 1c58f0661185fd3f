package tables

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// Tx is a unit of work: everything in it happens or nothing. It is used by one goroutine.
type Tx struct {
	store   *Store
	db      *db.Tx
	begun   *Snapshot // what it began with
	snap    *Snapshot
	now     time.Time
	events  bool                // it wrote some, or what else others wait for
	define  bool                // it may change the schema and the policy
	fresh   map[key]core.Record // what the unit created and has not touched since
	late    []lateWrite         // what was written, and rules still have to check
	advice  *rules.Log          // what rules have against writes that are only tried; nil otherwise
	known   map[answerKey]any   // what was asked of other records since the last write
	query   func(*db.Builder, *db.Shape) ([]byte, error)
	stale   []stale     // what was made stale, in the order in which it was
	settled int         // how many of them are current again
	staled  core.Caller // who made the last of them stale
	nested  int         // savepoints around
	trees   map[trees]*held

	accesses []accessEntry // for the access log
	failed   error         // of a write that may have happened in part: the unit cannot commit
}

type txKey struct{}

// TxOptions of a unit of work; the zero value works.
type TxOptions struct {
	// Define is set when the work changes the schema or the policy. It then commits alone.
	Define bool

	// Later lets checks and writes travel with what comes after them, so that they may fail later, the commit at the latest;
	// and f may be called again, as with Again.
	Later bool

	// Again has f called again, a few times, when the unit has clashed with that of another writer: [db.ErrClash]. What it did is
	// undone then, and what it keeps in memory it must begin anew. A unit of work without it is one that reads what is there once, such
	// as the body of a request, or one that is made again anyhow, by a sweep or a job.
	Again bool
}

// maxMoved is how often a unit of work begins anew because the schema or the policy has just changed. The last time it
// takes what it finds, while nobody else can change it.
const maxMoved = 3

// maxClashes is how often a unit of work begins anew because others were in its way. The pause before is random, up to clashPause
// the first time and twice as long each time, so that those who have clashed do not meet again.
const (
	maxClashes = 4
	clashPause = 10 * time.Millisecond
)

// Tx runs f in a unit of work, or in the one that ctx carries already, so that actions compose. f gets a context that
// carries it: calls of the store with that context take part, and f must not use another.
//
// The unit sees the newest snapshot, see [Tx.Snapshot], and keeps it from changing. A write that fails, or an f in the
// unit of another one, fails the whole unit, even when its error is passed over: see [Tx.Savepoint].
func (s *Store) Tx(ctx context.Context, o TxOptions, f func(context.Context, *Tx) error) error {
	const op = "tables.Tx"
	if outer := s.txFrom(ctx); outer != nil {
		return outer.keep(f(ctx, outer))
	}
	if err := authz.CheckWrites(core.CallerFrom(ctx)); err != nil {
		return core.E(op, err)
	}
	for moved, clashed := 1, 0; ; {
		tx := &Tx{store: s, begun: s.Snapshot(), define: o.Define}
		tx.snap = tx.begun
		err := s.db.Tx(ctx, db.TxOptions{Alone: o.Define, Later: o.Later && !o.Define && moved < maxMoved}, func(d *db.Tx) error {
			tx.db = d
			return tx.run(ctx, moved == maxMoved, f)
		})
		if errors.Is(err, errMoved) {
			err = s.Load(ctx)
			if err == nil {
				moved++
				continue
			}
		}
		if o.Again && clashed < maxClashes && errors.Is(err, db.ErrClash) && pause(ctx, clashPause<<clashed) {
			clashed++
			continue
		}
		if err != nil && len(tx.accesses) > 0 { // what was read was read
			if failed := s.writeAccesses(context.WithoutCancel(ctx), tx.accesses); failed != nil {
				return core.E(op, failed)
			}
		}
		if err != nil {
			return core.E(op, err)
		}
		if tx.snap != tx.begun {
			s.publish(tx.snap)
			s.db.Notify(ctx, "schema")
		}
		return nil
	}
}

// pause waits for up to the time, and reports whether it did: not when ctx has ended before.
func pause(ctx context.Context, most time.Duration) bool {
	t := time.NewTimer(rand.N(most)) //nolint:gosec // no secret
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errMoved says that the database has another version than the snapshot that the unit began with.
var errMoved = core.E("tables.Tx", core.Conflict, "the schema or the policy has just changed: try again")

// run is the unit of work in its database transaction.
func (tx *Tx) run(ctx context.Context, last bool, f func(context.Context, *Tx) error) error {
	err := tx.lock(ctx, last)
	if last && errors.Is(err, errMoved) {
		err = tx.catchUp(ctx)
	}
	if err != nil {
		return err
	}
	if ctx, err = tx.renew(ctx); err != nil {
		return err
	}
	tx.now = time.Now().UTC().Truncate(time.Microsecond)
	tx.query = func(b *db.Builder, s *db.Shape) ([]byte, error) { return tx.db.Answer(ctx, b, s, nil) }
	if err := f(context.WithValue(ctx, txKey{}, tx), tx); err != nil {
		return err
	}
	if tx.failed != nil {
		return tx.failed
	}
	if err := tx.verify(ctx, 0); err != nil {
		return err
	}
	if err := tx.settle(ctx); err != nil {
		return err
	}
	if tx.snap != tx.begun {
		if err := tx.store.build(tx.snap); err != nil {
			return err
		}
	}
	if err := insertAccesses(ctx, tx.db, tx.accesses); err != nil {
		return err
	}
	if tx.events {
		tx.db.AfterCommit(func() { tx.store.written(ctx) })
	}
	return nil
}

// renew gives the caller of ctx the rights that he has now: what works for long, such as an import, resolved him long ago.
func (tx *Tx) renew(ctx context.Context) (context.Context, error) {
	was := core.CallerFrom(ctx)
	now, err := tx.snap.Policy.Renew(was)
	if err != nil || now.Alike(was) {
		return ctx, err
	}
	return core.WithCaller(ctx, now), nil
}

// catchUp makes the snapshot of the unit that of the database.
func (tx *Tx) catchUp(ctx context.Context) error {
	next, err := tx.store.read(ctx, tx.db)
	if err == nil {
		err = tx.store.build(next)
	}
	tx.begun, tx.snap = next, next
	return err
}

func (s *Store) txFrom(ctx context.Context) *Tx {
	if tx, ok := ctx.Value(txKey{}).(*Tx); ok && tx.store == s {
		return tx
	}
	return nil
}

// lock keeps the schema as it is until the end of the transaction, and checks that it is the one of our snapshot. Where
// look is set, the transaction can go on when it is not.
func (tx *Tx) lock(ctx context.Context, look bool) error {
	if !tx.define && !look {
		return tx.db.Assert(ctx, tx.snap.versions().condition(tx.db.Dialect), errMoved)
	}
	var v versions
	if err := tx.db.QueryLocked(ctx, tx.define, v.query(tx.db.Dialect), v.scan); err != nil {
		return err
	}
	if v != tx.snap.versions() {
		return errMoved
	}
	return nil
}

// keep remembers the error of a write, after which the unit must not commit.
func (tx *Tx) keep(err error) error {
	if err != nil && tx.failed == nil {
		tx.failed = err
	}
	return err
}

// Savepoint runs f; when it fails, what it did is undone and the unit of work goes on.
func (tx *Tx) Savepoint(ctx context.Context, f func() error) error {
	const op = "tables.Savepoint"
	if tx.failed != nil {
		return core.E(op, tx.failed)
	}
	snap, events, made, settled, late := tx.snap, tx.events, len(tx.stale), tx.settled, len(tx.late)
	tx.nested++
	defer func() { tx.nested-- }()
	var inner error
	err := tx.db.Savepoint(ctx, func() error {
		if inner = f(); inner == nil {
			inner = tx.failed
		}
		if inner == nil {
			inner = tx.verify(ctx, late)
		}
		return inner
	})
	if err == nil {
		return nil
	}
	if inner == nil { // the savepoint itself
		return tx.keep(core.E(op, err))
	}
	tx.snap, tx.events, tx.failed, tx.fresh = snap, events, nil, nil
	tx.stale, tx.settled = tx.stale[:made], settled
	tx.late = tx.late[:late]
	clear(tx.trees) // what was locked since is not locked any more
	tx.wrote()
	return core.E(op, err)
}

// errTried undoes what was done to see what it would do.
var errTried = errors.New("only tried")

// DryRun runs f and undoes what it did: its writes, their events and what they have set off. What f read and returned
// shows what would have happened, to those checks too that the database makes.
func (tx *Tx) DryRun(ctx context.Context, f func() error) error {
	err := tx.Savepoint(ctx, func() error {
		if err := f(); err != nil {
			return err
		}
		if err := tx.settle(ctx); err != nil {
			return err
		}
		return errTried
	})
	if errors.Is(err, errTried) {
		return nil
	}
	return core.E("tables.DryRun", tx.keep(err))
}

// Snapshot returns what the unit of work sees; it changes when the unit changes the schema.
func (tx *Tx) Snapshot() *Snapshot { return tx.snap }

// DB returns the database transaction, for the system tables of the package that owns them.
func (tx *Tx) DB() *db.Tx { return tx.db }

// Now is the time of everything that the unit writes.
func (tx *Tx) Now() time.Time { return tx.now }

// Flush does what [TxOptions.Later] has put off, so that its errors come now.
func (tx *Tx) Flush(ctx context.Context) error { return core.E("tables.Flush", tx.db.Flush(ctx)) }

// AfterCommit has f called once the unit has committed.
func (tx *Tx) AfterCommit(f func()) { tx.db.AfterCommit(f) }

// ChangePolicy runs f, which writes users, roles, grants, the base currency or exchange rates, and compiles the policy that
// results. A policy that does not compile, or breaks a test of a role, refuses the change.
func (tx *Tx) ChangePolicy(ctx context.Context, f func() error) error {
	const op = "tables.ChangePolicy"
	if err := tx.mayDefine(); err != nil {
		return core.E(op, err)
	}
	if err := tx.settle(ctx); err != nil { // by the snapshot that it was made stale in
		return core.E(op, err)
	}
	if err := f(); err != nil {
		return tx.keep(core.E(op, err))
	}
	access, err := authz.Load(tx.db.Gorm(ctx))
	if err != nil {
		return tx.keep(core.E(op, err))
	}
	money, err := readMoney(ctx, tx.db, tx.now)
	if err != nil {
		return tx.keep(core.E(op, err))
	}
	next := &Snapshot{Schema: tx.snap.Schema, policyVersion: tx.snap.policyVersion + 1, maxLimit: tx.snap.maxLimit, access: access, money: money, defined: tx.snap.defined}
	if err := tx.bump(ctx, "policy_version", next.policyVersion); err != nil {
		return tx.keep(core.E(op, err))
	}
	if err := tx.auditRights(ctx, tx.snap, next); err != nil {
		return tx.keep(core.E(op, err))
	}
	before := tx.snap.Policy
	if err := tx.adopt(next); err != nil {
		return core.E(op, tx.keep(err))
	}
	if err := next.Policy.KeepsDenials(core.CallerFrom(ctx), before); err != nil {
		return core.E(op, tx.keep(err))
	}
	return core.E(op, tx.keep(next.Policy.Test(core.CallerFrom(ctx), access)))
}

func (tx *Tx) mayDefine() error {
	if !tx.define {
		return core.E("tables.mayDefine", core.Invalid, "this cannot be done together with writes that do not define anything: send it alone")
	}
	return nil
}

// adopt makes next what the unit sees from now on.
func (tx *Tx) adopt(next *Snapshot) error {
	if err := next.compile(); err != nil {
		return err
	}
	tx.snap, tx.fresh = next, nil // a record may have columns now that memory does not know
	return nil
}

func (tx *Tx) bump(ctx context.Context, key string, version int64) error {
	b := db.New(tx.db.Dialect).Write(`UPDATE "_meta" SET value = `).Arg(strconv.FormatInt(version, 10)).Write(" WHERE key = ").Arg(key)
	_, err := tx.db.Exec(ctx, b)
	return err
}

// ChangeAccess runs f, which writes users, roles or grants for the system, in a unit of work of its own.
func (s *Store) ChangeAccess(ctx context.Context, f func(*db.Tx) error) error {
	return s.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
		return tx.ChangePolicy(ctx, func() error { return f(tx.db) })
	})
}

// InTx reports whether ctx carries a unit of work.
func (s *Store) InTx(ctx context.Context) bool { return s.txFrom(ctx) != nil }
