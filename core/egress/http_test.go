package egress

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

// The signature is that which the libraries of Standard Webhooks make and take.
func TestSignature(t *testing.T) {
	got := Sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, []byte(`{"test": 2432232314}`))
	if got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Error(got)
	}
}

func TestManners(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "9999999": time.Hour, "99999999999999999999": 0, "soon": 0, "1.5": 0,
		"Wed, 02 Jan 2030 03:05:00 GMT": 55 * time.Second, "Wed, 02 Jan 2030 03:04:00 GMT": 0, "Thu, 03 Jan 2030 03:04:00 GMT": time.Hour,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %v, not %v", text, got, want)
		}
	}
	for status, want := range map[int]bool{200: false, 400: false, 404: false, 408: true, 425: true, 429: true, 500: true, 501: false, 503: true, 504: true} {
		if Busy(status) != want {
			t.Errorf("%d: busy is %v", status, !want)
		}
	}
	for address, want := range map[string]string{"https://API.Example.com.:8443/x": "api.example.com", "http://[::1]:80/": "::1", "nothing": "", "https://a%zz": ""} {
		if got := Host(address); got != want {
			t.Errorf("%s: %q", address, got)
		}
	}
	for address, want := range map[string]bool{"https://x": true, "http://x": false, "http://localhost:1": true, "http://127.0.0.1": true, "http://[::1]": true, "http://127.0.0.1.example.com": false} {
		if u, err := url.Parse(address); err != nil || Sealed(u) != want {
			t.Errorf("%s: %v, %v", address, !want, err)
		}
	}
}
