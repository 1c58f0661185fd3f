package transfer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
)

const killEnv = "COLONNADE_TEST_IMPORT_KILL" // dialect and source of the database

const (
	killBatch = core.ID("0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b")
	killRows  = 30_000
)

// telling says on standard output whenever some more of the file has been read.
type telling struct{ r io.Reader }

func (r telling) Read(p []byte) (int, error) {
	n, err := r.r.Read(p[:min(len(p), 32<<10)])
	fmt.Println("read")
	return n, err
}

// TestKillImport kills a process that imports, again and again, and sends the same file to the next: in the end every row is there
// once, and so is every row that was refused.
func TestKillImport(t *testing.T) {
	if what := os.Getenv(killEnv); what != "" {
		name, source, _ := strings.Cut(what, " ")
		w := newWorld(t, dbtest.Open(t, dialects[name], source))
		report, err := w.s.Import(w.root(), Request{Table: "product", Skip: true, Batch: killBatch}, telling{strings.NewReader(many(killRows))})
		must(t, err)
		fmt.Println("done", report.Status)
		return
	}
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); testKill(t, sqlite.Dialect{}, dbtest.SQLitePath(t)) })
	if dbtest.HasPostgres() {
		t.Run("postgres", func(t *testing.T) { t.Parallel(); testKill(t, postgres.Dialect{}, dbtest.PostgresDSN(t)) })
	}
}

var dialects = map[string]db.Dialect{"sqlite": sqlite.Dialect{}, "postgres": postgres.Dialect{}}

func testKill(t *testing.T, d db.Dialect, source string) {
	first := dbtest.Open(t, d, source)
	newWorld(t, first)
	must(t, first.Close())
	killed := 0
	for after := 4; !importUntil(t, d.Name()+" "+source, after); after += 4 {
		killed++
	}
	if killed < 3 {
		t.Fatalf("the import was killed %d times only", killed)
	}
	w := newWorld(t, dbtest.Open(t, d, source))
	const broken = 2 * killRows / 1000
	if n := w.count("product"); n != killRows-broken {
		t.Fatalf("%d records, want %d", n, killRows-broken)
	}
	want := fmt.Sprintf("done %d %d %d", killRows, killRows-broken, broken)
	if got := w.list("_import_batch", "status", "rows", "created", "refused"); got != want {
		t.Fatalf("the batch says %s, want %s", got, want)
	}
	if n := w.count("_import_failure"); n != broken {
		t.Fatalf("%d refused rows, want %d", n, broken)
	}
	t.Logf("killed %d times", killed)
}

// importUntil imports in a process that is killed when it has read so many pieces; it reports whether it was done before.
func importUntil(t *testing.T, what string, pieces int) bool {
	c := exec.Command(os.Args[0], "-test.run=^TestKillImport$")
	c.Env = append(os.Environ(), killEnv+"="+what)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	n, done, last := 0, false, ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last = lines.Text()
		switch {
		case last == "read":
			if n++; n == pieces {
				must(t, c.Process.Kill())
			}
		case strings.HasPrefix(last, "done "):
			done = true
		}
	}
	var exit *exec.ExitError
	if err := c.Wait(); !done && !errors.As(err, &exit) || !done && n < pieces {
		t.Fatalf("the import ended by itself: %v, %s", err, last)
	}
	return done
}
