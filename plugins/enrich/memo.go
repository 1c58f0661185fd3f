package enrich

import "sync"

// memo remembers answers of a pure function. It holds two generations: when the young one is full it becomes the old
// one, and what is still asked for moves over. So it keeps at least size recent answers and at most twice as many.
type memo[K comparable, V any] struct {
	size int

	mu         sync.Mutex
	young, old map[K]V
}

// get gives the answer for k, computing it when unknown; two callers may compute the same answer at once.
func (m *memo[K, V]) get(k K, compute func() V) V {
	m.mu.Lock()
	v, ok := m.young[k]
	if !ok {
		if v, ok = m.old[k]; ok {
			m.put(k, v)
		}
	}
	m.mu.Unlock()
	if ok {
		return v
	}
	v = compute()
	m.mu.Lock()
	m.put(k, v)
	m.mu.Unlock()
	return v
}

func (m *memo[K, V]) put(k K, v V) {
	if m.young == nil || len(m.young) >= m.size {
		m.old, m.young = m.young, make(map[K]V)
	}
	m.young[k] = v
}
