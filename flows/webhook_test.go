package flows_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/flows"
)

// signed is a delivery as its sender makes it.
func signed(secret, flow, id, body string) flows.Delivery {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		panic(err)
	}
	d := flows.Delivery{Flow: flow, ID: id, Timestamp: strconv.FormatInt(time.Now().Unix(), 10), Body: []byte(body)}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(d.ID + "." + d.Timestamp + "." + body))
	d.Signature = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return d
}

func (w *world) deliver(ctx context.Context, d flows.Delivery) (flows.Receipt, error) {
	h, err := w.flows.Receive(ctx, d)
	if err != nil {
		return flows.Receipt{}, err
	}
	return h.Start(ctx)
}

func (w *world) hook(definition, name string) (secret string) {
	w.t.Helper()
	w.put("author", definition)
	secret, err := w.flows.PutSecret(w.as("author"), name, "", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return secret
}

// However many send a delivery at once, and again, it has one run, which all of them are told.
func TestWebhookOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		secret := w.hook("name: orders\ntrigger: {webhook: {}}\nsteps: [{action: note, with: {text: =trigger.id}}]\n", "orders")
		d := signed(secret, "orders", "first", `{"a": 1}`)
		var mu sync.Mutex
		runs := map[core.ID]int{}
		var senders sync.WaitGroup
		for range 20 {
			senders.Go(func() {
				r, err := w.deliver(t.Context(), d)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				runs[r.Run]++
			})
		}
		senders.Wait()
		if len(runs) != 1 {
			t.Errorf("the senders are told %v", runs)
		}
		w.drain()
		if _, err := w.deliver(t.Context(), d); err != nil {
			t.Error(err)
		}
		w.drain()
		w.wantTexts("first")
	})
}

// What is refused leaves no run, whatever the body holds, and what is taken leaves one.
func TestWebhookBodies(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		secret := w.hook("name: orders\ntrigger: {webhook: {}}\nsteps: [{set: {a: =trigger.body}}]\n", "orders")
		taken := 0
		for i, c := range []struct {
			body string
			ok   bool
		}{
			{``, true}, {`null`, true}, {`[1, 2.50, "x"]`, true}, {`"\u00e9"`, true}, {`{"a": {"a": []}}`, true},
			{`{`, false}, {`{} {}`, false}, {"\xff", false}, {`"\u0000"`, false}, {`1e999999`, false},
			{strings.Repeat("[", 1000) + strings.Repeat("]", 1000), false},
		} {
			r, err := w.deliver(t.Context(), signed(secret, "orders", "d"+strconv.Itoa(i), c.body))
			if (err == nil) != c.ok || err != nil && core.KindOf(err) != core.Invalid {
				t.Errorf("%.20q: %v", c.body, err)
			}
			if (r.Run != "") != c.ok {
				t.Errorf("%.20q: run %q", c.body, r.Run)
			}
			if err == nil {
				taken++
			}
		}
		w.drain()
		n := int64(0)
		b := db.New(w.store.DB().Dialect).Write(`SELECT count(*) FROM "_flow_run" WHERE status = 'succeeded'`)
		if err := w.store.DB().Query(t.Context(), b, func(scan func(...any) error) error { return scan(&n) }); err != nil || n != int64(taken) {
			t.Errorf("%d runs of %d deliveries, %v", n, taken, err)
		}
	})
}

// A sender who waits is told the output of the run when it comes in time, and that it exists when it does not.
func TestWebhookAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		secret := w.hook("name: orders\ntrigger: {webhook: {answer: sync, timeout: 1s}}\nsteps: [{set: {twice: =trigger.body * 2}}]\n", "orders")
		d := signed(secret, "orders", "slow", "21")
		r, err := w.deliver(t.Context(), d) // nobody works on runs yet
		if err != nil || r.Ended || r.Run == "" {
			t.Fatalf("%+v %v", r, err)
		}
		if err := w.flows.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.flows.Wait(t.Context(), r.Run); err != nil {
			t.Fatal(err)
		}
		again, err := w.deliver(t.Context(), d)
		if err != nil || again.Run != r.Run || !again.Ended || again.Status != "succeeded" || string(again.Output) != `{"twice":42}` {
			t.Errorf("%+v %s %v", again, again.Output, err)
		}
	})
}

// Who signs with the secret that was before is a stranger.
func TestWebhookSecret(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		old := w.hook("name: orders\ntrigger: {webhook: {}}\nsteps: [{set: {a: 1}}]\n", "orders")
		secret := w.hook("name: orders\ntrigger: {webhook: {}}\nsteps: [{set: {a: 1}}]\n", "orders")
		if _, err := w.deliver(t.Context(), signed(old, "orders", "a", "1")); core.KindOf(err) != core.Unknown {
			t.Errorf("the old secret: %v", err)
		}
		if _, err := w.deliver(t.Context(), signed(secret, "orders", "a", "1")); err != nil {
			t.Error(err)
		}
		_, unknown := w.deliver(t.Context(), signed(secret, "out", "a", "1"))
		_, wrong := w.deliver(t.Context(), signed(old, "orders", "a", "1"))
		if unknown == nil || wrong == nil || core.AsError(unknown).Public() != core.AsError(wrong).Public() {
			t.Errorf("an unknown name is told apart: %v, %v", unknown, wrong)
		}
		if _, err := w.flows.PutSecret(w.as("reader"), "orders", "", 0); core.KindOf(err) != core.Denied {
			t.Errorf("the reader: %v", err)
		}
	})
}

// TestWebhookRotation gives a webhook another secret: the one before is good until its time is over, or another takes its place.
func TestWebhookRotation(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.hook("name: orders\ntrigger: {webhook: {tolerance: 1h}}\nsteps: [{set: {a: 1}}]\n", "orders")
		rotate := func(keep time.Duration) string {
			t.Helper()
			secret, err := w.flows.PutSecret(w.as("author"), "orders", "", keep)
			if err != nil {
				t.Fatal(err)
			}
			return secret
		}
		n := 0
		good := func(secrets ...string) {
			t.Helper()
			for i, s := range secrets {
				n++
				_, err := w.deliver(t.Context(), signed(s, "orders", strconv.Itoa(n), "1"))
				if ok := i < len(secrets)-1 || len(secrets) == 1; ok != (err == nil) || err != nil && core.KindOf(err) != core.Unknown {
					t.Errorf("secret %d of %d: %v", i+1, len(secrets), err)
				}
			}
		}
		start := time.Now() // the clock stands still from here: what the test itself takes does not count
		w.clock.set(start)
		second := rotate(time.Minute)
		good(first, second, "whsec_"+strings.Repeat("A", 32))
		w.clock.set(start.Add(59 * time.Second))
		good(first, second, "whsec_")
		w.clock.set(start.Add(61 * time.Second))
		good(second, first)
		third := rotate(time.Hour)
		good(second, third, first)
		fourth := rotate(0)
		good(fourth, third)
		good(fourth, second)
		for _, keep := range []time.Duration{-time.Second, 8 * 24 * time.Hour} {
			if _, err := w.flows.PutSecret(w.as("author"), "orders", "", keep); core.KindOf(err) != core.Invalid {
				t.Errorf("%s: %v", keep, err)
			}
		}
		good(fourth)
	})
}
