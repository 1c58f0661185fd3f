package db

import (
	"iter"
	"sync"
)

// Ahead returns seq, which then runs on a goroutine of its own, up to n elements before those that are asked for. When the
// loop over it ends, so has seq. A panic of seq becomes one of the loop.
func Ahead[T any](n int, seq iter.Seq[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		elements, stop := make(chan T, n), make(chan struct{})
		var failed any
		go func() {
			defer close(elements)
			defer func() { failed = recover() }()
			for e := range seq {
				select {
				case elements <- e:
				case <-stop:
					return
				}
			}
		}()
		defer func() {
			close(stop)
			for range elements {
			}
			if failed != nil {
				panic(failed)
			}
		}()
		for e := range elements {
			if !yield(e) {
				return
			}
		}
	}
}

// Start runs f on a goroutine of its own. wait returns what f returns; a panic of f becomes one of wait.
func Start[T any](f func() T) (wait func() T) {
	wait = sync.OnceValue(f)
	go func() {
		defer func() { _ = recover() }() // wait panics again
		wait()
	}()
	return wait
}
