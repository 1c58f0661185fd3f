package external

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/egress"
)

const testKey = "a key that is for tests only"

// calling returns a service of somebody that answers with h, as a plugin.
func calling(t *testing.T, h http.HandlerFunc) (*Service, *loaded) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	read, err := ReadManifest([]byte("name: far\nversion: 1.0.0\nhttp: {url: '" + server.URL + "/run', retries: 2}\nlimits: {time: 5s, output: 4KB}\nactions: [{name: x, doc: Does it., input: [{name: text, kind: text}], output: [{name: text, kind: text}]}]\n"))
	must(t, err)
	p := &loaded{Plugin: &Plugin{Manifest: *read}}
	s := checker(p.Plugin, CheckOptions{Key: testKey})
	t.Cleanup(s.calling.CloseIdleConnections)
	return s, p
}

func TestServiceIsAsked(t *testing.T) {
	var asked []string
	s, p := calling(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h := r.Header
		var at int64
		_, err = fmt.Sscan(h.Get("Webhook-Timestamp"), &at)
		if err != nil || h.Get("Webhook-Signature") != egress.Sign(testKey, h.Get("Webhook-Id"), at, body) || r.URL.Path != "/run" || r.Method != http.MethodPost {
			t.Errorf("%s %s: %v, %v", r.Method, r.URL, h, err)
		}
		asked = append(asked, h.Get("Idempotency-Key")+" "+string(body))
		if len(asked) < 3 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"output": {"text": "hello"}}`)
	})
	got, err := p.try(t.Context(), s, "x", "é \"")
	if err != nil || got != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
	const want = `k {"plugin":"far","version":"1.0.0","action":"x","key":"k","input":{"text":"é \""}}`
	if len(asked) != 3 || asked[0] != want || asked[1] != want || asked[2] != want {
		t.Errorf("asked %q", asked)
	}
}

func TestServicesThatMisbehave(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	for name, x := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		kind   core.ErrKind
		want   string
		tries  int32
	}{
		"garbage":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0, 1}) }, core.Failed, "answered with what is not", 1},
		"a page":     {func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }, core.Failed, "the status 404", 1},
		"too much":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 5000)) }, core.Failed, "more than 4KB", 1},
		"always 500": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, core.Unavailable, "the status 500", 3},
		"cut off":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, core.Unavailable, "does not answer", 3},
		"silent":     {func(http.ResponseWriter, *http.Request) { <-hang }, core.Unavailable, "had not answered after 500ms and was stopped", 1},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		}, core.Failed, "the status 307", 1},
		"busy": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "60"); w.WriteHeader(429) }, core.Unavailable, "the status 429", 1},
		"drips": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			<-hang
		}, core.Unavailable, "was stopped", 1},
		"refuses": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"error": {"kind": "NOT_FOUND", "message": "nobody"}}`)
		}, core.NotFound, "the plugin far says: nobody", 1},
	} {
		var tries atomic.Int32
		s, p := calling(t, func(w http.ResponseWriter, r *http.Request) {
			tries.Add(1)
			x.answer(w, r)
		})
		p.Limits.Time = 5 * time.Second
		if name == "silent" || name == "drips" {
			p.Limits.Time = 500 * time.Millisecond
		}
		_, err := p.try(t.Context(), s, "x", "")
		if core.KindOf(err) != x.kind || !strings.Contains(core.AsError(err).Public(), x.want) || tries.Load() != x.tries {
			t.Errorf("%s: after %d tries %s: %v", name, tries.Load(), core.KindOf(err), err)
		}
	}
}

// Somebody's service is no way into the network of the operator.
func TestServiceBehindTheFirewall(t *testing.T) {
	s, p := calling(t, func(http.ResponseWriter, *http.Request) { t.Error("it was called") })
	s.begin(Options{Egress: egress.New(egress.Options{})})
	if _, err := p.try(t.Context(), s, "x", ""); core.KindOf(err) != core.Denied {
		t.Error(err)
	}
}

// A module's requests carry secrets that it never sees, not even in an answer, and keys that stay.
func TestModuleFetches(t *testing.T) {
	var keys []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://evil.example.com/", http.StatusFound)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.Header.Get("Authorization"), body)
	}))
	t.Cleanup(server.Close)
	_, p := misbehaving(t, "host")
	p.URL, p.Wants.Hosts = server.URL, []string{"127.0.0.1"} // its port may be called
	s := checker(p.Plugin, CheckOptions{})
	p.URL = ""
	s.secretOf = func(_ context.Context, plugin, name string) (string, error) {
		return plugin + "-" + name + "-value", nil
	}
	t.Cleanup(s.fetching.CloseIdleConnections)
	fetch := func(path string) (out struct{ HTTP httpReply }) {
		b, err := json.Marshal(map[string]any{"op": "http", "method": "POST", "url": server.URL + path, "headers": map[string]string{"Authorization": "Bearer {{secret:token}}"}, "body": "hello"})
		must(t, err)
		got, err := p.try(t.Context(), s, "host", string(b))
		must(t, err)
		must(t, json.Unmarshal([]byte(got), &out))
		if strings.Contains(got, "bad-token-value") {
			t.Errorf("the module is told the secret: %s", got)
		}
		return out
	}
	for range 2 {
		if got := fetch("/"); got.HTTP.Status != 200 || got.HTTP.Body != "POST Bearer *** hello" || got.HTTP.Headers["x-echo"] != "Bearer ***" {
			t.Errorf("%+v", got)
		}
	}
	if got := fetch("/away"); got.HTTP.Status != http.StatusFound || got.HTTP.Headers["location"] != "http://evil.example.com/" {
		t.Errorf("a redirect was followed: %+v", got)
	}
	if keys[0] == "" || keys[0] != keys[1] || keys[2] == keys[0] {
		t.Errorf("the keys are %q", keys)
	}
}

// What new makes compiles, passes its own test, and what check says of it is good; a service is run for that.
func TestScaffold(t *testing.T) {
	for _, service := range []bool{false, true} {
		dir := t.TempDir() + "/my-plugin"
		must(t, Scaffold(dir, service))
		if err := Scaffold(dir, service); core.KindOf(err) != core.Exists {
			t.Errorf("a second time: %v", err)
		}
		run(t, dir, nil, "go", "vet", ".")
		run(t, dir, nil, "go", "test", ".")
		var o CheckOptions
		if service {
			o.Key = testKey
			must(t, os.WriteFile(dir+"/key", []byte(testKey), 0o600))
			must(t, os.WriteFile(dir+"/plugin.yaml", []byte(strings.Replace(read(t, dir+"/plugin.yaml"), "127.0.0.1:8090", serve(t, dir), 1)), 0o600))
		} else {
			run(t, dir, []string{"GOOS=wasip1", "GOARCH=wasm"}, "go", "build", "-ldflags=-s", "-o", "plugin.wasm", ".")
		}
		said, err := Check(t.Context(), dir, o)
		if err != nil || !strings.HasPrefix(said[0], "my_plugin 0.1.0: 1 action, sha256:") || said[len(said)-1] != "action initials: 1 example answered as described" {
			t.Errorf("%q, %v", said, err)
		}
		must(t, os.WriteFile(dir+"/plugin.yaml", []byte(strings.Replace(read(t, dir+"/plugin.yaml"), "out: {initials: AML}", "out: {initials: ABC}", 1)), 0o600))
		if _, err := Check(t.Context(), dir, o); core.KindOf(err) != core.Failed || !strings.Contains(core.AsError(err).Public(), `action initials, example 1: it answered {"initials":"AML"}, and the example says {"initials":"ABC"}`) {
			t.Errorf("a wrong example: %v", err)
		}
	}
	if err := Scaffold(t.TempDir()+"/My Plugin", false); core.KindOf(err) != core.Invalid {
		t.Errorf("a name that is none: %v", err)
	}
}
