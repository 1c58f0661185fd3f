package graphql

import (
	"container/list"
	"sync"
)

// How much the caches of one schema hold, roughly.
const (
	documentCacheBytes      = 32 << 20
	introspectionCacheBytes = 64 << 20
)

// cache keeps what was used last, up to a weight.
type cache[V any] struct {
	mu      sync.Mutex
	weight  int
	max     int
	entries map[string]*list.Element
	order   *list.List // the last used first
}

type entry[V any] struct {
	key    string
	value  V
	weight int
}

func newCache[V any](maxWeight int) *cache[V] {
	return &cache[V]{max: maxWeight, entries: map[string]*list.Element{}, order: list.New()}
}

func (c *cache[V]) get(key string) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return v, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry[V]).value, true
}

// put keeps v, unless it alone is too much.
func (c *cache[V]) put(key string, v V, weight int) {
	weight += len(key)
	if weight > c.max {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok {
		c.order.MoveToFront(e)
		return
	}
	c.entries[key] = c.order.PushFront(&entry[V]{key, v, weight})
	for c.weight += weight; c.weight > c.max; {
		last := c.order.Back()
		old := c.order.Remove(last).(*entry[V])
		delete(c.entries, old.key)
		c.weight -= old.weight
	}
}
