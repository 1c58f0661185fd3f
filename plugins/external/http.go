package external

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/core/egress"
)

// SigningKey is the name of the secret that requests to a service are signed with.
const SigningKey = "signing_key"

// minKey is how long that secret is at least, in bytes.
const minKey = 24

// What a service is waited for before it is asked again within one call.
const (
	firstPause = 200 * time.Millisecond
	longPause  = 5 * time.Second // a service that asks for more is asked again by whoever calls the action
)

// post asks a service, and again while it is busy or cannot be reached. Every try has the same id and the same key.
func (s *Service) post(ctx context.Context, p *Plugin, id string, request []byte) ([]byte, error) {
	const op = "external.post"
	if err := s.o.Egress.CheckURL(p.URL); err != nil {
		return nil, core.E(op, err)
	}
	key, err := s.secretOf(ctx, p.Name, SigningKey)
	if err != nil {
		return nil, core.E(op, err)
	}
	for try := 0; ; try++ {
		answer, after, err := s.postOnce(ctx, p, key, id, request)
		if err == nil || after < 0 || try == p.Retries || after > longPause || !sleeps(ctx, max(after, pauseBefore(try))) {
			return answer, err
		}
	}
}

// pauseBefore is how long to wait before the next try: twice as long each time, and never quite as long as others.
func pauseBefore(try int) time.Duration {
	most := firstPause << try
	return most/2 + rand.N(most/2) //nolint:gosec // no secret
}

// sleeps waits, and reports whether the call goes on after that.
func sleeps(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	sleep(ctx, d)
	return ctx.Err() == nil
}

// postOnce asks a service once. After an error it returns when to ask again; a negative time stands for never.
func (s *Service) postOnce(ctx context.Context, p *Plugin, key, id string, request []byte) (answer []byte, again time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, strings.NewReader(string(request)))
	if err != nil {
		return nil, -1, core.E("external.postOnce", core.Invalid, "the address of the plugin is none: "+err.Error())
	}
	at := s.o.Now().Unix()
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "Colonnade", "Idempotency-Key": id,
		"Webhook-Id": id, "Webhook-Timestamp": strconv.FormatInt(at, 10), "Webhook-Signature": egress.Sign(key, id, at, request),
	} {
		req.Header.Set(name, value)
	}
	res, err := s.calling.Do(req)
	if err != nil {
		return nil, retryAfter(err), s.unreached(ctx, p, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(p.Limits.Output)+1))
	switch {
	case err != nil:
		return nil, 0, s.unreached(ctx, p, err)
	case len(body) > p.Limits.Output:
		return nil, -1, fault(p, fmt.Sprintf("answered with more than %s: answer less, or raise limits.output in its manifest", bytes(p.Limits.Output)), nil)
	case res.StatusCode == http.StatusOK:
		return body, 0, nil
	case egress.Busy(res.StatusCode):
		after := egress.RetryAfter(res.Header, s.o.Now())
		var wait error
		if after > 0 {
			wait = core.Wait(after)
		}
		return nil, after, late(p, fmt.Sprintf("answered with the status %d", res.StatusCode), wait)
	}
	return nil, -1, fault(p, fmt.Sprintf("answered with the status %d: a service answers 200 also to what fails, with {\"error\": {...}}", res.StatusCode), nil)
}

// retryAfter is when to try again after err, which ended a request.
func retryAfter(err error) time.Duration {
	if core.KindOf(err) == core.Unavailable || core.KindOf(err) == core.Internal {
		return 0
	}
	return -1
}

// unreached says why there is no answer. What the guard has to say it says.
func (s *Service) unreached(ctx context.Context, p *Plugin, err error) error {
	var told *core.Error
	switch {
	case ctx.Err() != nil:
		return errStopped
	case errors.As(err, &told) && told.Kind != core.Unavailable:
		return core.E("external.post", err)
	case told != nil:
		return late(p, "does not answer: "+told.Msg, err)
	}
	return late(p, "does not answer", err)
}
