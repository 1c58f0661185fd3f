package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/graphql"
)

func TestGate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	g := newGate(Rate{PerMinute: 60, Together: 100})
	come := func(key string) error {
		got, err := g.enter(key, now)
		if err == nil {
			g.leave(got)
		}
		return err
	}
	for i := range 60 {
		if err := come("a"); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	err := come("a")
	if core.KindOf(err) != core.Limit || core.AsError(err).Public() != "more than 60 requests a minute: wait 1 second" {
		t.Fatal(err)
	}
	must(t, come("b"))
	for range 5 { // each second one more
		now = now.Add(time.Second)
		must(t, come("a"))
		if come("a") == nil {
			t.Fatal("two requests in a second")
		}
	}
	now = now.Add(time.Hour) // rest does not add up to more than a minute's worth
	n := 0
	for come("a") == nil {
		n++
	}
	if n != 60 {
		t.Errorf("%d requests at once", n)
	}
	now = now.Add(-time.Hour) // as clocks do
	if come("a") == nil {
		t.Error("a request more when the clock goes back")
	}
}

func TestGateTogether(t *testing.T) {
	t.Parallel()
	g := newGate(Rate{Together: 2})
	now := time.Now()
	for range 2 {
		_, err := g.enter("a", now)
		must(t, err)
	}
	if _, err := g.enter("a", now); core.KindOf(err) != core.Limit || core.AsError(err).Public() != "2 requests of yours run already: wait until one has ended" {
		t.Fatal(err)
	}
	_, err := g.enter("b", now)
	must(t, err)
	g.leave("a")
	_, err = g.enter("a", now)
	must(t, err)
}

// What a gate remembers is bounded, and who fills it gains nothing.
func TestGateForgets(t *testing.T) {
	t.Parallel()
	now := time.Now()
	g := newGate(Rate{PerMinute: 2, Together: 1000})
	refused := 0
	for i := range maxMeters + 100 {
		if _, err := g.enter(strconv.Itoa(i), now); err != nil {
			refused++
		}
	}
	if len(g.meters) > maxMeters+1 || refused != 98 {
		t.Errorf("%d meters, %d refused", len(g.meters), refused)
	}
	for key, m := range g.meters {
		for m.running > 0 {
			g.leave(key)
		}
	}
	_, err := g.enter("new", now.Add(2*time.Minute))
	must(t, err)
	if len(g.meters) != 1 {
		t.Errorf("%d meters are left", len(g.meters))
	}
}

// by what requests are counted is not for the client to choose.
func TestAttackA26Rate(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{Users: Rate{PerMinute: 10}, Strangers: Rate{PerMinute: 20}}, nil)
	key, _ := w.key()
	bob := w.user("bob@example.com")
	nobody := w.anonymous()
	asUser := func(token string) request {
		return request{path: "/graphql", json: query("{__typename}"), header: map[string]string{"Authorization": "Bearer " + token}}
	}
	count := func(send func(i int) answered) (good int, last answered) {
		for i := range 40 {
			last = send(i)
			if last.status != http.StatusTooManyRequests {
				good++
				continue
			}
			seconds, err := strconv.Atoi(last.header.Get("Retry-After"))
			if err != nil || seconds < 1 || seconds > 60 {
				t.Errorf("Retry-After: %q", last.header.Get("Retry-After"))
			}
			return good, last
		}
		return good, last
	}
	// The cookie of ann and her key are one user, wherever they come from.
	n, last := count(func(i int) answered {
		if i%2 == 0 {
			return w.send(request{path: "/graphql", json: query("{__typename}"), header: map[string]string{"X-Forwarded-For": fmt.Sprintf("10.0.0.%d", i)}})
		}
		return nobody.send(asUser(key))
	})
	if n > 9 { // one request of ann told her id
		t.Errorf("ann came %d times", n)
	}
	last.want(429, `"kind":"LIMIT"`, "more than 10 requests a minute: wait ")
	if n, _ := count(func(int) answered { return nobody.send(asUser(bob)) }); n != 10 {
		t.Errorf("bob came %d times", n)
	}
	// Guesses at tokens count for the address, which nothing that the client says changes.
	n, _ = count(func(i int) answered {
		q := asUser(fmt.Sprintf("%043d", i))
		q.header["X-Forwarded-For"] = fmt.Sprintf("10.0.0.%d", i)
		q.header["Forwarded"], q.header["X-Real-IP"], q.header["CF-Connecting-IP"] = fmt.Sprintf("for=10.0.0.%d", i), fmt.Sprintf("10.0.1.%d", i), fmt.Sprintf("10.0.2.%d", i)
		return nobody.send(q)
	})
	if n > 20 {
		t.Errorf("%d guesses", n)
	}
	for _, path := range []string{"/graphql?query={__typename}", "/login", "/auth/me", "/data/export/x"} {
		nobody.send(request{path: path}).want(429, "more than 20 requests a minute")
	}
	nobody.send(request{path: "/auth/login", json: signIn{Email: annEmail, Password: goodPassword}}).want(429)
	// What costs nothing stays, and so does who is signed in.
	nobody.send(request{path: "/health/live"}).want(200)
	nobody.send(request{path: assetsPath + w.s.site.hash + "/form.js"}).want(200)
	if !strings.Contains(w.log.String(), "add it to --proxies") {
		t.Error("nobody was told that a proxy is not trusted")
	}
}

func TestRateBehindProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{Strangers: Rate{PerMinute: 2}, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, nil)
	from := func(address string) answered {
		return w.send(request{path: "/graphql", json: query("{__typename}"), header: map[string]string{"X-Forwarded-For": address}})
	}
	for _, c := range []struct {
		address string
		status  int
	}{
		{"8.8.8.8", 200}, {"8.8.8.8", 200}, {"8.8.8.8", 429}, {"1.1.1.1, 8.8.8.8", 429}, {"8.8.4.4", 200}, {"::ffff:8.8.8.8", 429},
		{"2001:db8::1", 200}, {"2001:db8::2", 200}, {"2001:db8:0:0:ffff::3", 429}, {"2001:db8:0:1::1", 200},
	} {
		if got := from(c.address); got.status != c.status {
			t.Errorf("%s: %d, want %d", c.address, got.status, c.status)
		}
	}
}

// An answer that streams counts as long as it takes.
func TestTogether(t *testing.T) {
	t.Parallel()
	begun, end := make(chan struct{}, 8), make(chan struct{})
	w := withAnn(t, Options{Users: Rate{Together: 2}}, func(s *Server) {
		s.do = func(ctx context.Context, _ graphql.Request, _ bool) graphql.Response {
			begun <- struct{}{}
			<-end
			return graphql.Response{Body: []byte(`{"data":{}}`)}
		}
		s.app.Add("GET", "/stream", s.admit(route{method: "GET", path: "/stream", access: session, handler: s.slowStream(begun, end)}))
	})
	done := make(chan answered, 2)
	go func() { done <- w.send(request{path: "/graphql", json: query("{a}")}) }()
	go func() { done <- w.send(request{path: "/stream"}) }()
	<-begun
	<-begun
	w.send(request{path: "/auth/me"}).want(429, "2 requests of yours run already")
	w.anonymous().send(request{path: "/auth/me"}).want(401)
	close(end)
	(<-done).want(200)
	(<-done).want(200)
	w.send(request{path: "/auth/me"}).want(200)
}

// user makes a user without roles and returns a key of hers.
func (w *world) user(email string) (key string) {
	w.t.Helper()
	a := w.send(request{path: "/graphql", json: query(`mutation{create_user(name:"` + email + `",email:"` + email + `",password:"` + goodPassword + ` of ` + email + `"){id}}`)}).want(200, `"id"`)
	var out struct {
		Data struct {
			Make struct{ ID core.ID } `json:"create_user"`
		}
	}
	must(w.t, json.Unmarshal([]byte(a.text), &out))
	must(w.t, w.db.Tx(w.t.Context(), db.TxOptions{}, func(tx *db.Tx) (err error) {
		key, _, err = w.logins.CreateKey(w.t.Context(), tx, authz.NewKey{User: out.Data.Make.ID, Name: "test"})
		return err
	}))
	return key
}

func (s *Server) slowStream(begun, end chan struct{}) fiber.Handler {
	return func(c *fiber.Ctx) error {
		s.outgoing(c, func(_ context.Context, w io.Writer) error {
			begun <- struct{}{}
			<-end
			_, err := io.WriteString(w, "done")
			return err
		})
		return nil
	}
}
