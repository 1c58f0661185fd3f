package postgres

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"colonnade/core"
)

// presence tells other processes that this one is at work on the database, or that it wants to be alone on it: a lock that
// lives as long as a connection of its own, of the first schema of the search path. Processes share it; one that wants to be
// alone does not.
type presence struct {
	config *pgx.ConnConfig
	alone  bool
	log    *slog.Logger

	stop    context.CancelFunc
	running sync.WaitGroup
}

const (
	takePresence = "SELECT pg_try_advisory_lock_shared(hashtext('colonnade presence'), coalesce(current_schema()::regnamespace::oid::int, 0))"
	takeAlone    = "SELECT pg_try_advisory_lock(hashtext('colonnade presence'), coalesce(current_schema()::regnamespace::oid::int, 0))"
)

// How often, and how long after each other, a lock is asked for that somebody else has.
const (
	takeTries = 20
	takePause = 50 * time.Millisecond
)

// appear takes the lock, and takes it again whenever the connection is lost, until leave.
func appear(ctx context.Context, config *pgx.ConnConfig, alone bool, log *slog.Logger) (*presence, error) {
	const op = "postgres.appear"
	p := &presence{config: config, alone: alone, log: log}
	c, taken, err := p.take(ctx)
	switch {
	case err != nil:
		return nil, core.E(op, err)
	case !taken && alone:
		_ = c.Close(ctx)
		return nil, core.E(op, core.Unavailable, "a server is at work on this database: stop it first")
	case !taken:
		_ = c.Close(ctx)
		return nil, core.E(op, core.Unavailable, "this database is being moved, restored or filled: wait until that is done")
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	p.running.Go(func() { p.keep(background, c) })
	return p, nil
}

func (p *presence) take(ctx context.Context) (c *pgx.Conn, taken bool, err error) {
	if c, err = pgx.ConnectConfig(ctx, p.config); err != nil {
		return nil, false, err
	}
	statement := takePresence
	if p.alone {
		statement = takeAlone
	}
	for try := 0; ; try++ { // the server takes a moment to notice that a process has ended
		err = c.QueryRow(ctx, statement).Scan(&taken)
		if err != nil || taken || try == takeTries {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(takePause):
		}
	}
	if err != nil {
		_ = c.Close(context.WithoutCancel(ctx))
	}
	return c, taken, err
}

// keep waits for the end of the connection, which brings nothing else, and makes another.
func (p *presence) keep(ctx context.Context, c *pgx.Conn) {
	for {
		_, _ = c.WaitForNotification(ctx) // which only returns when the connection has ended
		_ = c.Close(context.WithoutCancel(ctx))
		for ctx.Err() == nil {
			var taken bool
			var err error
			if c, taken, err = p.take(ctx); err == nil && taken {
				break
			}
			if err == nil {
				_ = c.Close(context.WithoutCancel(ctx))
			}
			if ctx.Err() == nil {
				p.log.WarnContext(ctx, "postgres: cannot tell other processes that this one is at work", "err", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
		if ctx.Err() != nil {
			if c != nil && !c.IsClosed() {
				_ = c.Close(context.WithoutCancel(ctx))
			}
			return
		}
	}
}

// leave gives the lock back.
func (p *presence) leave() {
	p.stop()
	p.running.Wait()
}
