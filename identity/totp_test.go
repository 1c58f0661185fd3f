package identity

import (
	"testing"
	"time"
)

// TestTOTP has the codes of RFC 6238, Appendix B, for SHA-1. The last six of its eight digits are those of six.
func TestTOTP(t *testing.T) {
	t.Parallel()
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130"} {
		want = want[2:]
		if got := totpCode(secret, at/totpStep); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
		for off, good := range map[int64]bool{-2 * totpStep: false, -totpStep: true, 0: true, totpStep: true, 2 * totpStep: false} {
			if at+off < 0 {
				continue // before 1970
			}
			step, ok := totpStepOf(secret, want, time.Unix(at+off, 0))
			if ok != good || ok && step != at/totpStep {
				t.Errorf("the code of %d, %d seconds later: step %d, %t", at, off, step, ok)
			}
		}
	}
	for _, code := range []string{"", "28708", "2870820", "28708a"} {
		if _, ok := totpStepOf(secret, code, time.Unix(59, 0)); ok {
			t.Errorf("%q is taken", code)
		}
	}
}
