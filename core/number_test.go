package core_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"colonnade/core"
)

// TestNumber makes autonumbers and reads their place in the sequence back.
func TestNumber(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("x", -6*3600)) // 11:06:07 UTC
	for _, test := range []struct {
		template, want string
		sequence       int64
	}{
		{"", "^7$", 7},
		{"INV-{DATE:yyyyMMdd}-{SEQ:5}", `^INV-20260304-00007$`, 7},
		{"{DATE:yy/MM/dd HH.mm.ss}#{SEQ:2}", `^26/03/04 11\.06\.07#123456$`, 123456},
		{"{RAND:6}{SEQ:1}x", `^[0-9A-HJKMNP-TV-Z]{6}42x$`, 42},
		{"(a+)*{SEQ:18}", `^\(a\+\)\*000000000000000001$`, 1},
	} {
		c := defined(t, core.Column{Name: "n", Kind: core.Autonumber, Template: test.template})
		got := c.Number(test.sequence, at)
		if !regexp.MustCompile(test.want).MatchString(got) {
			t.Errorf("%s: got %s, want %s", test.template, got, test.want)
		}
		if back, ok := c.Sequence(got); !ok || back != test.sequence {
			t.Errorf("%s: %s is number %d, %v", test.template, got, back, ok)
		}
		if _, ok := c.Sequence(got + "?"); ok {
			t.Errorf("%s: %s? is no number of it", test.template, got)
		}
	}
	for template, want := range map[string]string{
		"INV": "has {SEQ} once", "{SEQ}{SEQ}": "has {SEQ} once", "{SEQ:0}": "1 to 18", "{SEQ:19}": "1 to 18", "{SEQ:x}": "1 to 18", "{RAND}{SEQ}": "1 to 20", "{RAND:21}{SEQ}": "1 to 20",
		"{DATE}{SEQ}": "made of yyyy", "{DATE:YYYY}{SEQ}": "made of yyyy", "{HASH:3}{SEQ}": "there is no {HASH}", "{SEQ": "is no part of a number", "a{b}{SEQ}": "is no part of a number", strings.Repeat("a", 96) + "{SEQ}": "at most 100 characters",
	} {
		_, err := core.NewSchema(1, table("item", core.Column{Name: "n", Kind: core.Autonumber, Template: template}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", template, err, want)
		}
	}
}
