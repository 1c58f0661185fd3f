package postgres

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Transactions whose statements all wait for their commit, such as that of an insert, can share a transaction of the server,
// and with it the flush of the disk. The first departs at once; those that come while maxFlights are under way go together
// when one of these has landed. When a statement of a group fails, nothing of the group is done, and each of its members is
// tried by itself: its outcome is the one that it would have had alone.
//
// A member that has to wait for a lock must not hold up others, so that is such a failure.
const (
	maxFlights = 2  // transactions of the server under way
	maxGroup   = 64 // members of a group
)

const (
	// groupLockTime is how long a group waits for a lock.
	groupLockTime = "50ms"

	// groupTime is how long a group may take before its connection is given up.
	groupTime = 30 * time.Second
)

type groups struct {
	engine  *engine
	mu      sync.Mutex
	flights int
	waiting []*member
}

// member is a transaction that waits for others to go with.
type member struct {
	queue []statement
	group chan []*member // what it is to send, itself among it; closed when another member has sent it
	err   error          // its outcome then; errAlone when nothing was done
}

// errAlone says that a member is to be tried by itself.
var errAlone = errors.New("the group failed")

// commit runs the statements in a transaction of the server, perhaps with those of others. It calls alone when that fails and
// nothing was done.
func (g *groups) commit(ctx context.Context, queue []statement, alone func() error) error {
	m := &member{queue: queue}
	group, err := g.board(ctx, m)
	if err != nil {
		return err
	}
	if group != nil {
		g.fly(group)
	}
	if errors.Is(m.err, errAlone) {
		return alone()
	}
	return m.err
}

// board returns the group that the member is to send, or none when another one has sent it.
func (g *groups) board(ctx context.Context, m *member) ([]*member, error) {
	g.mu.Lock()
	if g.flights < maxFlights {
		g.flights++
		g.mu.Unlock()
		return []*member{m}, nil
	}
	m.group = make(chan []*member, 1)
	g.waiting = append(g.waiting, m)
	g.mu.Unlock()
	select {
	case group := <-m.group:
		return group, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	i := slices.Index(g.waiting, m)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	g.mu.Unlock()
	if i >= 0 {
		return nil, ctx.Err()
	}
	return <-m.group, nil
}

// land lets those who wait depart.
func (g *groups) land() {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), maxGroup)
	if n == 0 {
		g.flights--
		return
	}
	group := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	group[0].group <- group
}

// fly sends the group and tells its members how it went.
func (g *groups) fly(group []*member) {
	err := errInDoubt(errors.New("the group was given up"))
	defer func() {
		g.land()
		group[0].err = err // the one who is calling
		for _, m := range group[1:] {
			m.err = err
			close(m.group)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), groupTime)
	defer cancel()
	err = g.send(ctx, group)
}

// send runs the statements of the group in one transaction and one round trip. It returns errAlone when it is certain that
// nothing was done.
func (g *groups) send(ctx context.Context, group []*member) error {
	conn, err := g.engine.pool.Acquire(ctx)
	if err != nil {
		return errAlone
	}
	defer conn.Release() // which closes a connection that is still in a transaction
	batch := &pgx.Batch{}
	batch.Queue("begin")
	batch.Queue("SELECT set_config('lock_timeout', $1, true)", groupLockTime)
	var shared []*statement
	for _, m := range group {
		for i := range m.queue {
			st := &m.queue[i]
			if st.shared {
				if slices.ContainsFunc(shared, st.equal) {
					continue
				}
				shared = append(shared, st)
			}
			batch.Queue(st.text, st.args...)
		}
	}
	batch.Queue("commit")
	done, err := execBatch(conn.SendBatch(ctx, batch), batch.Len())
	if done == batch.Len() { // what breaks after the commit takes nothing back
		return nil
	}
	if conn.Conn().PgConn().TxStatus() == 'E' {
		_, _ = conn.Exec(ctx, "rollback") // a connection for which that fails is not used again
	}
	_ = g.engine.lost(err)
	if inDoubt(err, done == batch.Len()-1) {
		return errInDoubt(err)
	}
	return errAlone
}

// execBatch reads the results of n statements, and returns how many did well.
func execBatch(results pgx.BatchResults, n int) (done int, err error) {
	for ; done < n; done++ {
		if _, err = results.Exec(); err != nil {
			break
		}
	}
	if bad := results.Close(); err == nil {
		err = bad
	}
	return done, err
}
