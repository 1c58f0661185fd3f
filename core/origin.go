package core

import "context"

// Origin says from where a request came, for logs. It proves nothing, and no right depends on it.
type Origin struct {
	Request string // the id of the request
	Address string // of the peer
}

type originKey struct{}

// WithOrigin returns a context that carries o.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginFrom returns the origin of ctx, the zero Origin outside of requests.
func OriginFrom(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}
