package authz

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// throttle limits attempts by key: so many within a minute, and then a pause that doubles each time. What it knows is in the
// database, so that all servers count together, and a restart forgives nobody.
type throttle struct {
	db    *db.DB
	limit int
	swept atomic.Int64 // when attempts that count no longer were deleted, in seconds since 1970
}

// attempts are those of one key.
type attempts struct {
	Key       string  `gorm:"primaryKey"` // a hash
	Since     db.Time // start of the minute
	Count     int     // attempts in it
	Pauses    int     // how often the limit was reached
	PausedFor db.Time // until then; zero for no pause
	EndsAt    db.Time // when all of this counts no longer
}

// TableName implements gorm's Tabler.
func (attempts) TableName() string { return "_attempt" }

const (
	throttleWindow = time.Minute
	firstPause     = 30 * time.Second
	longestPause   = 15 * time.Minute
)

// pause is a wait that an attempt met with; the zero value is none.
type pause struct {
	wait   time.Duration
	begins bool // with this attempt
}

// take counts an attempt, in a transaction of its own. When it returns a pause, that attempt must not be made.
func (t *throttle) take(ctx context.Context, key string, now time.Time) (p pause, err error) {
	if err := t.sweep(ctx, now); err != nil {
		return p, err
	}
	key = hashToken(key)
	err = t.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		g := tx.Gorm(ctx)
		var a attempts // and nobody else's until the end of the transaction
		q := g.Raw(`INSERT INTO "_attempt" (key, since, count, pauses, ends_at) VALUES (?, ?, 0, 0, ?) ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING *`, key, dbTime(now), dbTime(now))
		if err := q.Scan(&a).Error; err != nil {
			return err
		}
		p = a.take(t.limit, now)
		return g.Save(&a).Error
	})
	return p, err
}

// take counts one attempt more.
func (a *attempts) take(limit int, now time.Time) (p pause) {
	if now.Before(a.PausedFor.Time) {
		return pause{wait: a.PausedFor.Sub(now)}
	}
	if now.Sub(a.Since.Time) > longestPause {
		a.Pauses = 0
	}
	if now.Sub(a.Since.Time) >= throttleWindow {
		a.Since, a.Count = dbTime(now), 0
	}
	if a.Count < limit {
		a.Count++
	} else {
		p = pause{wait: min(firstPause<<min(a.Pauses, 10), longestPause), begins: true}
		a.Pauses++
		a.Since, a.Count, a.PausedFor = dbTime(now.Add(p.wait)), 0, dbTime(now.Add(p.wait))
	}
	a.EndsAt = dbTime(a.Since.Add(longestPause + throttleWindow))
	return p
}

// forgive forgets the attempts of a key, after one that succeeded.
func (t *throttle) forgive(ctx context.Context, key string) error {
	return t.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		return tx.Gorm(ctx).Delete(&attempts{Key: hashToken(key)}).Error
	})
}

// sweep deletes what counts no longer, at most once a minute.
func (t *throttle) sweep(ctx context.Context, now time.Time) error {
	last := t.swept.Load()
	if now.Unix()-last < int64(throttleWindow/time.Second) || !t.swept.CompareAndSwap(last, now.Unix()) {
		return nil
	}
	return t.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		return tx.Gorm(ctx).Where("ends_at < ?", dbTime(now)).Delete(&attempts{}).Error
	})
}

// network returns what counts as one address: an IPv4 address, or the /64 that an IPv6 host chooses from.
func network(addr string) string {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		ap, err := netip.ParseAddrPort(addr)
		if err != nil {
			return addr
		}
		ip = ap.Addr()
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

func tooMany(op string, wait time.Duration) error {
	w := core.Wait(wait)
	return core.E(op, core.Limit, fmt.Sprintf("too many attempts: wait %s and try again", core.Count(w.Seconds(), "second")), w)
}
