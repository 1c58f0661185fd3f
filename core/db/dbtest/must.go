package dbtest

import (
	"strings"
	"testing"

	"colonnade/core"
)

// Must ends the test when there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// WantKind ends the test unless err is of the kind and its public message says the words.
func WantKind(t testing.TB, err error, kind core.ErrKind, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s %q", kind, words)
	}
	if k := core.KindOf(err); k != kind {
		t.Fatalf("kind %s, want %s: %v", k, kind, err)
	}
	for _, w := range words {
		if !strings.Contains(core.AsError(err).Public(), w) {
			t.Fatalf("error %q does not say %q", core.AsError(err).Public(), w)
		}
	}
}
