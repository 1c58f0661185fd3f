//go:build !unix

package external

import "context"

// withMemory leaves the memory of instances on the heap.
func withMemory(ctx context.Context) (context.Context, func()) { return ctx, func() {} }
