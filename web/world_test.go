package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/sqlite"
	"colonnade/files"
	"colonnade/graphql"
	"colonnade/identity"
	"colonnade/tables"
	"colonnade/transfer"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"), // looks every ten seconds whether it was stopped
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))    // one for the whole process
}

const (
	annEmail     = "ann@example.com"
	goodPassword = "correct horse battery"
)

// world is the whole stack on a database of its own, behind a listener on the loopback address.
type world struct {
	t      testing.TB
	s      *Server
	db     *db.DB
	store  *tables.Store
	logins *authz.Logins
	log    *syncBuffer
	base   string // http://127.0.0.1:port
	client *http.Client
}

// newWorld starts a server without users. change, when not nil, is called before it listens.
func newWorld(t testing.TB, o Options, change func(*Server)) *world {
	t.Helper()
	d, err := db.Open(t.Context(), sqlite.Dialect{}, filepath.Join(t.TempDir(), "test.db"), db.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	w := &world{t: t, db: d, log: &syncBuffer{}}
	o.Log = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.store = tables.New(d, tables.Options{Builtin: transfer.Tables(), Log: o.Log})
	w.logins = authz.NewLogins(d, authz.LoginOptions{Log: o.Log, Change: w.store.ChangeAccess, Note: w.store.NoteAccess})
	who := identity.New(w.store, w.logins, identity.Options{Log: o.Log})
	actions := append(append(w.store.Actions(), w.store.AccessActions(w.logins)...), who.Actions()...)
	o.Engine = graphql.New(w.store, actions, graphql.Options{Log: o.Log, RequestID: RequestID})
	must(t, w.store.Load(t.Context()))
	o.Logins, o.Identity, o.Reload = w.logins, who, w.store.Load
	o.Data = transfer.New(w.store, transfer.Options{Log: o.Log})
	disk, err := files.OpenDisk(filepath.Join(t.TempDir(), "files"))
	must(t, err)
	t.Cleanup(func() { must(t, disk.Close()) })
	o.Files, err = files.New(w.store, files.Options{Contents: disk, Cache: filepath.Join(t.TempDir(), "thumbnails"), Log: o.Log})
	must(t, err)
	t.Cleanup(func() { must(t, o.Files.Close()) })
	o.Policy = func() *authz.Policy { return w.store.Snapshot().Policy }
	w.s = New(o)
	if change != nil {
		change(w.s)
	}
	must(t, w.s.Start("127.0.0.1:0"))
	w.base = "http://" + w.s.Addr()
	w.client = &http.Client{
		Transport:     &http.Transport{},
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		must(t, w.s.Stop(ctx))
	})
	return w
}

// withAnn has ann set the server up. The cookie of the session goes with every request of the client from then on.
func withAnn(t testing.TB, o Options, change func(*Server)) *world {
	t.Helper()
	w := newWorld(t, o, change)
	token, err := w.logins.SetupToken(t.Context())
	must(t, err)
	w.client.Jar, err = cookiejar.New(nil)
	must(t, err)
	w.send(request{path: "/auth/setup", json: map[string]string{"token": token, "name": "Ann", "email": annEmail, "password": goodPassword}}).want(200, `"name":"Ann"`)
	return w
}

// anonymous returns the world without the cookie.
func (w *world) anonymous() *world {
	v, c := *w, *w.client
	c.Jar = nil
	v.client = &c
	return &v
}

// key returns an API key of ann, and what revokes it.
func (w *world) key() (secret string, revoke func() error) {
	w.t.Helper()
	ctx := w.t.Context()
	var user struct {
		User struct{ ID core.ID } `json:"user"`
	}
	must(w.t, json.Unmarshal([]byte(w.send(request{path: "/auth/me"}).want(200).text), &user))
	var k authz.Key
	must(w.t, w.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) (err error) {
		secret, k, err = w.logins.CreateKey(ctx, tx, authz.NewKey{User: user.User.ID, Name: "test"})
		return err
	}))
	return secret, func() error {
		return w.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return w.logins.RevokeKey(ctx, tx, k.UserID, k.ID) })
	}
}

// request is a request of a test: a POST when it has a body.
type request struct {
	method string
	path   string
	json   any    // the body, with the content type that goes with it
	body   string // or the body as it is
	header map[string]string
}

type answered struct {
	t      testing.TB
	about  string
	status int
	header http.Header
	text   string
}

func (w *world) send(r request) answered {
	w.t.Helper()
	body := r.body
	header := map[string]string{}
	if r.json != nil {
		b, err := json.Marshal(r.json)
		must(w.t, err)
		body = string(b)
		header["Content-Type"] = "application/json"
		header["Sec-Fetch-Site"] = "same-origin"
	}
	for name, v := range r.header {
		header[name] = v
	}
	if r.method == "" {
		r.method = http.MethodGet
		if body != "" {
			r.method = http.MethodPost
		}
	}
	req, err := http.NewRequestWithContext(w.t.Context(), r.method, w.base+r.path, strings.NewReader(body))
	must(w.t, err)
	for name, v := range header {
		if v == "" {
			continue
		}
		if name == "Host" {
			req.Host = v
		}
		req.Header.Set(name, v)
	}
	res, err := w.client.Do(req)
	must(w.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(w.t, err)
	return answered{w.t, r.method + " " + r.path, res.StatusCode, res.Header, string(b)}
}

// want fails unless the answer has the status and holds the words; a word after "!" must not be there.
func (a answered) want(status int, words ...string) answered {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d: %.500s", a.about, a.status, status, a.text)
	}
	for _, word := range words {
		not, found := strings.CutPrefix(word, "!")
		if strings.Contains(a.text, not) == found {
			a.t.Fatalf("%s: %q in the answer: %t, want %t: %.500s", a.about, not, found, !found, a.text)
		}
	}
	return a
}

// raw sends bytes as they are and returns all that comes until the server closes, or until an answer is complete.
func (w *world) raw(text string) answered {
	w.t.Helper()
	c, err := net.Dial("tcp", w.s.Addr())
	must(w.t, err)
	defer c.Close()
	must(w.t, c.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(c, text)
	must(w.t, err)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(w.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(w.t, err)
	line, _, _ := strings.Cut(text, "\r\n")
	return answered{w.t, line, res.StatusCode, res.Header, string(b)}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// syncBuffer is a log that the test reads while the server writes.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
