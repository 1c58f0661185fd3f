package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Requests allocate much over a small live heap, so with Go's default the collector runs all the time: it costs a fifth of
// the processor on reads. It starts later here, and as always when the heap nears softHeap. GOGC and GOMEMLIMIT say otherwise.
const (
	collectAt = 400 // percent
	softHeap  = 384 << 20
)

func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softHeap)
	}
}

// restEvery is how often the server looks whether it rests.
const restEvery = 20 * time.Second

// rest gives memory back to the operating system when the server has come to rest: after its start, and after work. The collector
// by itself would keep what it lets the heap grow to.
func rest(ctx context.Context) {
	debug.FreeOSMemory()
	var r resting
	r.look(usage())
	tick := time.NewTicker(restEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if r.look(usage()) {
				debug.FreeOSMemory()
				r.look(usage())
			}
		}
	}
}

// resting tells when it is worth collecting.
type resting struct {
	seen  uint64 // of what was allocated, at the last look
	freed uint64 // of what was allocated, when memory was last given back
}

const (
	quiet   = 4 << 20  // bytes allocated between two looks by a server that does nothing
	garbage = 32 << 20 // bytes that are worth it
)

// look reports whether the process has allocated little since the last look, and may hold much that it does not need. allocated is
// what it has ever allocated, spare what it holds of the system beyond the live heap, in bytes.
func (r *resting) look(allocated, spare uint64) bool {
	still := allocated-r.seen < quiet
	r.seen = allocated
	if !still || spare < garbage || allocated-r.freed < quiet {
		return false
	}
	r.freed = allocated
	return true
}

func usage() (allocated, spare uint64) {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s)
	held := s[2].Value.Uint64() + s[3].Value.Uint64() + s[4].Value.Uint64()
	return s[0].Value.Uint64(), held - min(held, s[1].Value.Uint64())
}
