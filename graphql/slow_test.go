package graphql

import (
	"fmt"
	"testing"
	"time"
)

// TestSlowLogIsBounded notes more than is kept.
func TestSlowLogIsBounded(t *testing.T) {
	l := NewSlowLog(time.Millisecond)
	at := time.Unix(0, 0)
	for i := range 3 * slowEntries {
		l.note(slowKey{statement: fmt.Sprint(i), field: "book"}, time.Duration(i)*time.Millisecond, at.Add(time.Duration(i)*time.Second))
	}
	if len(l.entries) != slowEntries {
		t.Errorf("%d entries", len(l.entries))
	}
	if got := l.list(1)[0].(map[string]any); got["statement"] != fmt.Sprint(3*slowEntries-1) {
		t.Errorf("the first is %v", got)
	}
	for i := range 10 * slowSamples {
		l.note(slowKey{statement: "often"}, time.Duration(i+1)*time.Millisecond, at.Add(time.Hour))
	}
	e := l.entries[slowKey{statement: "often"}]
	if len(e.samples) != slowSamples || e.count != 10*slowSamples || e.worst != 10*slowSamples*time.Millisecond {
		t.Errorf("%d samples of %d, worst %s", len(e.samples), e.count, e.worst)
	}
	r := e.record()
	if r["p50"] != float64(10*slowSamples-slowSamples/2) || r["p95"] != float64(10*slowSamples-slowSamples+122) {
		t.Errorf("p50 %v, p95 %v", r["p50"], r["p95"])
	}
}
