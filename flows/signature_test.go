package flows

import (
	"encoding/base64"
	"testing"
)

// TestSignature checks a signature that the libraries of Standard Webhooks check too.
func TestSignature(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	d := Delivery{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", Timestamp: "1614265330", Body: []byte(`{"test": 2432232314}`)}
	for signature, want := range map[string]bool{
		"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=":                                                 true,
		"v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=": true,
		"v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=":                                                 false,
		"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE":                                                  false,
		"v1,": false,
		"":    false,
	} {
		d.Signature = signature
		if got := d.signed(key); got != want {
			t.Errorf("%q: %v", signature, got)
		}
	}
	d.ID = "msg_other"
	if d.Signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; d.signed(key) {
		t.Error("the signature holds for another id")
	}
}
