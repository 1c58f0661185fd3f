package graphql

import (
	"container/list"
	"sync"
)

// How much the caches of one schema hold, roughly; those of plans and of introspections are of one snapshot.
const (
	documentCacheBytes      = 32 << 20
	introspectionCacheBytes = 64 << 20
	planCacheBytes          = 32 << 20
)

// cache keeps what was used last, up to a weight.
type cache[K comparable, V any] struct {
	mu      sync.Mutex
	weight  int
	max     int
	entries map[K]*list.Element
	order   *list.List // the last used first
}

type entry[K comparable, V any] struct {
	key    K
	value  V
	weight int
}

func newCache[K comparable, V any](maxWeight int) *cache[K, V] {
	return &cache[K, V]{max: maxWeight, entries: map[K]*list.Element{}, order: list.New()}
}

func (c *cache[K, V]) get(key K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return v, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry[K, V]).value, true
}

// put keeps v in place of what had the key, unless it alone is too much.
func (c *cache[K, V]) put(key K, v V, weight int) {
	if weight > c.max {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok {
		c.drop(e)
	}
	c.entries[key] = c.order.PushFront(&entry[K, V]{key, v, weight})
	for c.weight += weight; c.weight > c.max; {
		c.drop(c.order.Back())
	}
}

func (c *cache[K, V]) drop(e *list.Element) {
	old := c.order.Remove(e).(*entry[K, V])
	delete(c.entries, old.key)
	c.weight -= old.weight
}
