package classify

import (
	"sync"
	"sync/atomic"
)

// parallel hands the numbers 0..n-1 to work on up to threads goroutines and waits. Each work takes numbers from
// next until it says false. The result must not depend on who takes which number.
func parallel(threads, n int, work func(next func() (int, bool))) {
	var taken atomic.Int64
	next := func() (int, bool) {
		i := int(taken.Add(1) - 1)
		return i, i < n
	}
	var group sync.WaitGroup
	for range min(threads, n) {
		group.Go(func() { work(next) })
	}
	group.Wait()
}
