package transfer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"colonnade/core"
)

// manyRows is a file of n rows and then the last line, made while it is read.
func manyRows(n int, last string) io.Reader {
	r, w := io.Pipe()
	go func() {
		b := bufio.NewWriter(w)
		_, _ = b.WriteString("code,city\n")
		for i := range n {
			_, _ = fmt.Fprintf(b, "%d,%s\n", i, strings.Repeat("x", 90))
		}
		_, _ = b.WriteString(last)
		_ = w.CloseWithError(b.Flush())
	}()
	return r
}

// TestImportWhole imports a file that is longer than what is kept in memory, all of it or nothing.
func TestImportWhole(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const n = 2 * maxSpoolMemory / 90
		_, err := w.s.Import(w.root(), Request{Table: "shop"}, manyRows(n, "0,twice\n"))
		wantKind(t, err, core.Exists, "code", "nothing was imported")
		if left := w.count("shop"); left != 0 {
			t.Fatalf("%d records of a file that is refused", left)
		}
		report, err := w.s.Import(w.root(), Request{Table: "shop"}, manyRows(n, ""))
		must(t, err)
		if report.Created != n || w.count("shop") != n {
			t.Fatalf("%+v", report)
		}
		_, err = w.s.Import(w.person("stranger"), Request{Table: "shop"}, failing{}) // of whom nothing is kept
		wantKind(t, err, core.Denied)
		_, err = w.s.Import(w.root(), Request{Table: "shop"}, io.MultiReader(manyRows(n, ""), failing{}))
		wantKind(t, err, core.Unavailable, "did not arrive whole")
	})
}

// failing is a sender that goes away.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the connection is gone") }

func TestSpoolLimit(t *testing.T) {
	for most, long := range map[int64]bool{3 * maxSpoolMemory: false, 2 * maxSpoolMemory: true, 1: true} {
		f, err := spool(io.LimitReader(zeros{}, 2*maxSpoolMemory+1), most, "a test")
		if long {
			wantKind(t, err, core.Limit, "a test")
			continue
		}
		must(t, err)
		if _, err := os.Stat(f.(*os.File).Name()); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the file has a name: %v", err)
		}
		if n, err := io.Copy(io.Discard, f); err != nil || n != 2*maxSpoolMemory+1 {
			t.Fatal(n, err)
		}
		must(t, f.Close())
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
