package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
	"colonnade/transfer"
)

// withTable returns a world with a table "thing" and the header of a key that may do everything.
func withTable(t *testing.T, o Options) (*world, map[string]string) {
	t.Helper()
	w := withAnn(t, o, nil)
	key, _ := w.key()
	w = w.anonymous()
	auth := map[string]string{"Authorization": "Bearer " + key}
	must(t, w.store.Change(core.WithCaller(t.Context(), core.System("test")), core.CreateTable{Define: core.Table{Name: "thing", Columns: []core.Column{
		{Name: "no", Kind: core.Integer, Unique: true}, {Name: "name", Kind: core.Text},
	}}}))
	return w, auth
}

func TestFiles(t *testing.T) {
	t.Parallel()
	w, auth := withTable(t, Options{BodyLimit: 10_000})
	var csv strings.Builder
	csv.WriteString("No,Name\n")
	for i := range 20_000 { // far more than the limit of other bodies
		fmt.Fprintf(&csv, "%d,Thing %d\n", i, i)
	}
	csv.WriteString("x,broken\n")
	got := w.send(request{path: "/data/import/thing?on_error=skip&match=1&name=things.csv&plan=1", body: csv.String(), header: auth})
	got.want(200, `"status":"planned"`, `"created":20000`, `"refused":1`, `!"batch"`)
	got = w.send(request{path: "/data/import/thing?on_error=skip&match=1&name=things.csv", body: csv.String(), header: auth})
	got.want(200, `"status":"done"`, `"created":20000`, `"refused":1`, `"No":"no"`)
	var report transfer.Report
	must(t, json.Unmarshal([]byte(got.text), &report))
	state := "/data/imports/" + string(report.Batch)
	w.send(request{path: state, header: auth}).want(200, `"rows":20001`, `"rate":`, "!token")
	w.send(request{path: state + "/failures", header: auth}).want(200, "No,Name,error\nx,broken,")
	w.send(request{path: state + "/events", header: auth}).want(200, `data: {`, `"status":"done"`)
	for _, path := range []string{state, state + "/failures", state + "/events"} {
		w.send(request{path: path}).want(401, "!things.csv")
		w.send(request{path: strings.Replace(path, string(report.Batch), string(core.NewID()), 1), header: auth}).want(404, "NOT_FOUND")
	}

	all := w.send(request{path: "/data/export/thing?format=ndjson&columns=no,name", header: auth}).want(200, `{"no":7,"name":"Thing 7"}`)
	if n := strings.Count(all.text, "\n"); n != 20_000 {
		t.Fatalf("%d lines", n)
	}
	w.send(request{path: `/data/export/thing?columns=name&where={"no":{"_lt":2}}`, header: auth}).want(200, "name\nThing 0\nThing 1\n", "!Thing 2")
	w.send(request{method: "HEAD", path: "/data/export/thing", header: auth}).want(200)

	w.send(request{path: "/data/import/thing?on_error=skip", body: "no,nope\n1,2\n", header: auth}).want(400, "goes to no column")
	w.send(request{path: "/data/import/thing", body: "no,name\n5,again\n", header: auth}).want(409, "nothing was imported")
	w.send(request{path: "/data/import/thing?on_eror=skip", body: "no\n1\n", header: auth}).want(400, "did you mean on_error?")
	w.send(request{path: "/data/import/thing?columns=x", body: "no\n1\n", header: auth}).want(400, "JSON object")
	w.send(request{path: "/data/import/nothing", body: "no\n1\n", header: auth}).want(404, "no such table")
	w.send(request{path: "/data/import/thing", body: "no\n1\n", header: map[string]string{"Authorization": auth["Authorization"], "Content-Encoding": "gzip"}}).want(415, "compressed")
	w.send(request{path: "/data/export/thing?format=xlsx", header: auth}).want(400, "none of")
	w.send(request{path: "/data/export/nothing", header: auth}).want(404)
	w.send(request{path: "/data/export/thing?columns=nope", header: auth}).want(400, "no such column")
	w.send(request{path: `/data/export/thing?where={"nope":{"_eq":1}}`, header: auth}).want(400, "where")
	w.send(request{path: "/data/suggest/thing", body: "THING-NO,Name\n1,x\n", header: auth}).want(200, `"column":"name"`)
}

// TestCutOff has the sender of a file go away in the middle: what was committed is reported as such, and the same file goes on.
func TestCutOff(t *testing.T) {
	t.Parallel()
	w, auth := withTable(t, Options{ReadTimeout: 300 * time.Millisecond})
	var csv strings.Builder
	csv.WriteString("no,name\n")
	for i := range 10_000 {
		fmt.Fprintf(&csv, "%d,Thing %d\n", i, i)
	}
	text, id := csv.String(), string(core.NewID())
	path := "/data/import/thing?on_error=skip&batch=" + id
	got := w.raw(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s", path, auth["Authorization"], len(text), text[:len(text)*3/4]))
	got.want(503, `"status":"stopped"`, "did not arrive whole", id)
	w.send(request{path: path, body: text, header: auth}).want(200, `"status":"done"`, `"created":10000`, `"refused":0`)
	w.send(request{path: path, body: text, header: auth}).want(409, "done already")
}

// TestExportCutOff takes the database away while an export is under way: the client can tell the part from the whole.
func TestExportCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{}, func(s *Server) {
		s.app.Get("/broken", func(c *fiber.Ctx) error {
			s.outgoing(c, func(_ context.Context, out io.Writer) error {
				if _, err := io.WriteString(out, strings.Repeat("x", 100_000)); err != nil {
					return err
				}
				return core.E("test", core.Unavailable, "gone")
			})
			return nil
		})
	})
	res, err := http.Get(w.base + "/broken")
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	if n, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Fatalf("%d bytes came, and no error", n)
	}
}
