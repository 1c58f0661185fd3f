package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"time"
)

// Time-based one-time passwords after RFC 6238, in the form that every authenticator app takes: SHA-1, six digits, 30 seconds.
const (
	totpStep   = 30 // seconds
	totpDigits = 6
	totpSecret = 20 // bytes
	totpSlack  = 1  // steps that a clock may be off in either direction
)

var base32Plain = base32.StdEncoding.WithPadding(base32.NoPadding)

func newTOTPSecret() []byte {
	b := make([]byte, totpSecret)
	_, _ = rand.Read(b) // never fails
	return b
}

// totpCode returns the code of a step.
func totpCode(secret []byte, step int64) string {
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, step) // a hash takes everything
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf // RFC 4226, 5.3
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", totpDigits, n%1_000_000)
}

// totpStepOf returns the step that the code is of, about now.
func totpStepOf(secret []byte, code string, now time.Time) (int64, bool) {
	at, found := now.Unix()/totpStep, int64(0)
	for step := at - totpSlack; step <= at+totpSlack; step++ {
		if subtle.ConstantTimeCompare([]byte(totpCode(secret, step)), []byte(code)) == 1 {
			found = step
		}
	}
	return found, found > 0
}

// totpURI is what an authenticator app reads from a QR code; see https://github.com/google/google-authenticator/wiki/Key-Uri-Format.
func totpURI(secret []byte, account string) string {
	q := url.Values{"secret": {base32Plain.EncodeToString(secret)}, "issuer": {"Colonnade"}}
	return "otpauth://totp/" + url.PathEscape("Colonnade:"+account) + "?" + q.Encode()
}
