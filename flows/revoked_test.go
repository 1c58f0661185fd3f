package flows_test

import (
	"strings"
	"testing"

	"colonnade/core"
)

// rights that are taken while a flow runs are gone for its next step, and within a step that works for long, for the next
// thing that it writes.
func TestAttackA07RunningFlow(t *testing.T) {
	for _, c := range []struct {
		name, action string
		in           core.Record
		says         string
	}{
		{"role taken", "unassign_role", core.Record{"role": "author", "user": "author@example.com"}, "your roles do not let you"},
		{"role dropped", "drop_role", core.Record{"name": "author"}, "your roles do not let you"},
		{"grant revoked", "revoke", core.Record{"role": "author", "table": "note", "privileges": []any{"create"}}, "your roles do not let you"},
		{"disabled", "disable_user", core.Record{"user": "author@example.com"}, "the account is disabled"},
	} {
		for _, step := range []string{"{action: hold}, {action: note, with: {text: after}}", "{action: hold_and_note, with: {text: after}}"} {
			name, _, _ := strings.Cut(step, ",")
			t.Run(c.name+name, func(t *testing.T) {
				each(t, func(t *testing.T, w *world) {
					w.put("author", "name: long\n"+manual+"steps: [{action: note, with: {text: before}}, "+step+"]\n")
					w.start()
					id := w.run("long", nil)
					<-w.calls.tell
					w.administer(c.action, c.in)
					w.calls.let <- struct{}{}
					if r := w.wait(id); r.Status != "failed" || !strings.Contains(r.Error, c.says) {
						t.Errorf("the run: %+v", r)
					}
					w.wantTexts("before")
				})
			})
		}
	}
}
