package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestService(t *testing.T) {
	s := newService("a key that is for tests only", actions)
	send := func(key, body string, at time.Time) (int, string) {
		mac := hmac.New(sha256.New, []byte(key))
		fmt.Fprintf(mac, "1.%d.%s", at.Unix(), body)
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Webhook-Id", "1")
		r.Header.Set("Idempotency-Key", body)
		r.Header.Set("Webhook-Timestamp", fmt.Sprint(at.Unix()))
		r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	ask := `{"action": "quote", "input": {"country": "DE", "grams": 900}}`
	for range 2 {
		if code, got := send(s.key, ask, time.Now()); code != 200 || got != `{"output":{"price":4.90,"days":2}}` {
			t.Errorf("%d %s", code, got)
		}
	}
	if code, _ := send("another key", ask, time.Now()); code != 401 {
		t.Errorf("signed by somebody else: %d", code)
	}
	if code, _ := send(s.key, ask, time.Now().Add(-time.Hour)); code != 401 {
		t.Errorf("an hour old: %d", code)
	}
	if code, got := send(s.key, `{"action": "quote", "input": {"country": "DE", "grams": 0}}`, time.Now()); code != 200 || !strings.Contains(got, "INVALID") {
		t.Errorf("%d %s", code, got)
	}
}
