package egress

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Host returns the name of the server of an address in small letters, "" where there is none.
func Host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

// Sealed reports whether nobody on the way reads what is sent to u: by TLS, or because it stays on this machine.
func Sealed(u *url.URL) bool { return u.Scheme == "https" || loopback(u.Hostname()) }

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// Busy reports whether the same request may be answered later: RFC 9110 says so of some statuses, RFC 6585 and RFC 8470 of others.
func Busy(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= http.StatusInternalServerError && status != http.StatusNotImplemented
}

// RetryAfter is how long a server asks to be left alone (RFC 9110, 10.2.3), in seconds or until a moment; an hour at most, and 0 where
// it asks for nothing.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(max(0, min(seconds, 3600))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(0, min(at.Sub(now), time.Hour))
}

// Sign returns the signature of a request after Standard Webhooks (https://www.standardwebhooks.com): of its id, its time in seconds
// since 1970 and its body, under a key that both ends know. A key that begins with whsec_ is the base64 behind that, as it has them.
func Sign(key, id string, at int64, body []byte) string {
	secret := []byte(key)
	if rest, ok := strings.CutPrefix(key, "whsec_"); ok {
		if b, err := base64.StdEncoding.DecodeString(rest); err == nil {
			secret = b
		}
	}
	h := hmac.New(sha256.New, secret)
	_, _ = fmt.Fprintf(h, "%s.%d.", id, at) // a hash takes everything
	_, _ = h.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}
