//go:build unix

package external

import (
	"context"
	"syscall"

	"github.com/tetratelabs/wazero/experimental"
)

// linear is the memory of an instance: pages of the system, which takes them when they are written to first, and has them back at once. On the heap, a
// memory would be copied whenever it grows, and stay for the collector to find.
type linear struct{ pages []byte }

// withMemory returns a context whose instances have their memory from the system, and what gives it back. To be called when none of them runs any more.
func withMemory(ctx context.Context) (context.Context, func()) {
	var all []*linear
	ctx = experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(func(_, most uint64) experimental.LinearMemory {
		m := &linear{}
		if pages, err := syscall.Mmap(-1, 0, int(most), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE); err == nil {
			m.pages = pages
		}
		all = append(all, m)
		return m
	}))
	return ctx, func() {
		for _, m := range all {
			if m.pages != nil {
				_ = syscall.Munmap(m.pages) // it was mapped above
			}
		}
	}
}

// Reallocate implements experimental.LinearMemory.
func (m *linear) Reallocate(size uint64) []byte {
	if size > uint64(len(m.pages)) {
		return nil
	}
	return m.pages[:size]
}

// Free implements experimental.LinearMemory. The pages go with the call.
func (m *linear) Free() {}
