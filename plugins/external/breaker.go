package external

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"colonnade/core"
)

// After so many calls in a row that broke, a plugin is left alone for a while, so that flows do not spend their time on it.
const (
	maxFaults = 5
	rest      = 30 * time.Second
)

// breaker counts the calls of one plugin that broke, in this process.
type breaker struct {
	mu     sync.Mutex
	faults int
	until  time.Time
}

// open returns an error while the plugin is left alone.
func (b *breaker) open(p *Plugin, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait := b.until.Sub(now); wait > 0 {
		return core.E("external.open", core.Unavailable, fmt.Sprintf("the plugin %s broke %d times in a row, and is left alone for up to 30 seconds: see the log for why", p.Name, maxFaults), core.Wait(wait))
	}
	return nil
}

// note counts how a call ended. After the rest one more that breaks is enough.
func (b *breaker) note(err error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var f *faulty
	if !errors.As(err, &f) {
		b.faults = 0
		return
	}
	if b.faults++; b.faults >= maxFaults {
		b.faults, b.until = maxFaults-1, now.Add(rest)
	}
}
