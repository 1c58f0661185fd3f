package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"colonnade/core"
)

// box is a mail server, and what it took.
type box struct {
	mu     sync.Mutex
	mails  []string
	rcpt   []string
	refuse func(to string) error
}

func (b *box) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{box: b}, nil }

type session struct {
	box    *box
	signed bool
	to     []string
}

func (*session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "shop" || password != "p@ss/word" {
			return smtp.ErrAuthFailed
		}
		s.signed = true
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.signed {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.box.refuse != nil {
		if err := s.box.refuse(to); err != nil {
			return err
		}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.mails, s.box.rcpt = append(s.box.mails, string(b)), append(s.box.rcpt, strings.Join(s.to, " "))
	return err
}

func (s *session) Reset() { s.to = nil }

func (s *session) Logout() error { return nil }

// serve runs a mail server until the test ends, and returns it with an address for it. What it shows is believed by the config.
func serve(t *testing.T, sealed bool) (b *box, at string, trust *tls.Config) {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(web.Close)
	b = &box{}
	s := smtp.NewServer(b)
	s.TLSConfig, s.Domain, s.AllowInsecureAuth = &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}, "mail.example.com", true
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at = "smtp://shop:p%40ss%2Fword@" + l.Addr().String()
	if sealed {
		l, at = tls.NewListener(l, s.TLSConfig), strings.Replace(at, "smtp:", "smtps:", 1)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	})
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())
	return b, at, &tls.Config{RootCAs: pool, ServerName: "example.com", MinVersion: tls.VersionTLS12}
}

func call(t *testing.T, s *Service, key string, in map[string]any) (core.Record, error) {
	t.Helper()
	a := s.Actions()[0]
	given, err := core.ParseInput(a.Input, in)
	if err != nil {
		t.Fatal(err)
	}
	return a.Run(context.Background(), core.Call{In: given, Key: key})
}

func TestMail(t *testing.T) {
	for _, name := range []string{"plain", "starttls", "tls"} {
		t.Run(name, func(t *testing.T) {
			b, at, trust := serve(t, name == "tls")
			if name == "plain" {
				trust = nil
			}
			s, err := New(Options{Server: at, From: "Shop <shop@example.com>", tls: trust})
			if err != nil {
				t.Fatal(err)
			}
			in := map[string]any{
				"to": []any{"Ann Größe <ann@example.org>", "bob@example.org"}, "cc": []any{"cy@example.org"}, "bcc": []any{"dot@example.org"}, "reply_to": "help@example.com",
				"subject": "Für Sie – your order", "text": "Grüße\n.\nFrom us", "html": "<p>Grüße</p>",
			}
			first, err := call(t, s, "run/step/", in)
			if err != nil {
				t.Fatal(err)
			}
			again, err := call(t, s, "run/step/", in)
			if err != nil || first["message_id"] != again["message_id"] {
				t.Errorf("%v, %v, %v", first, again, err)
			}
			m, err := netmail.ReadMessage(strings.NewReader(b.mails[0]))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
			to, bad := m.Header.AddressList("To")
			if err != nil || bad != nil || subject != "Für Sie – your order" || len(to) != 2 || to[0].Name != "Ann Größe" || m.Header.Get("Bcc") != "" || m.Header.Get("Reply-To") != "<help@example.com>" ||
				m.Header.Get("Message-Id") != first["message_id"] || m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("From") != `"Shop" <shop@example.com>` || strings.Contains(b.mails[0], "run/step") {
				t.Errorf("%v %v, %q, %v", err, bad, subject, m.Header)
			}
			body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
			if err != nil || !strings.Contains(string(body), "Grüße\r\n.\r\nFrom us") || !strings.Contains(string(body), "<p>Grüße</p>") {
				t.Errorf("%v, %s", err, body)
			}
			if b.rcpt[0] != "ann@example.org bob@example.org cy@example.org dot@example.org" {
				t.Error(b.rcpt)
			}
		})
	}
}

// What a server refuses fails, what it puts off is tried again, and nothing that is wrong with a mail reaches it.
func TestMailRefused(t *testing.T) {
	b, at, trust := serve(t, false)
	s, err := New(Options{Server: at, From: "shop@example.com", tls: trust})
	if err != nil {
		t.Fatal(err)
	}
	b.refuse = func(to string) error {
		switch {
		case strings.HasPrefix(to, "gone@"):
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
		case strings.HasPrefix(to, "later@"):
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
		}
		return nil
	}
	mail := func(more map[string]any) map[string]any {
		in := map[string]any{"to": []any{"ann@example.org"}, "subject": "Hello", "text": "It is here."}
		for k, v := range more {
			in[k] = v
		}
		return in
	}
	many := make([]any, maxRecipients+1)
	for i := range many {
		many[i] = "ann@example.org"
	}
	for _, x := range []struct {
		in   map[string]any
		kind core.ErrKind
		want string
	}{
		{mail(map[string]any{"to": []any{"ann@example.org", "gone@example.org"}}), core.Failed, "refused the mail with 550"},
		{mail(map[string]any{"to": []any{"later@example.org"}}), core.Unavailable, "greylisted"},
		{mail(map[string]any{"to": []any{}}), core.Invalid, "name who gets the mail"},
		{mail(map[string]any{"to": []any{"ann@example.org\r\nBcc: eve@example.org"}}), core.Invalid, "is none such as"},
		{mail(map[string]any{"cc": []any{"nobody"}}), core.Invalid, "cc: address 1"},
		{mail(map[string]any{"bcc": many}), core.Invalid, "100 recipients"},
		{mail(map[string]any{"reply_to": "a@b, c@d"}), core.Invalid, "reply_to"},
		{mail(map[string]any{"subject": "Hello\r\nBcc: eve@example.org"}), core.Invalid, "one line"},
		{mail(map[string]any{"text": ""}), core.Invalid, "say something"},
		{mail(map[string]any{"text": strings.Repeat("x", maxText+1)}), core.Invalid, "1 MB"},
	} {
		_, err := call(t, s, "k", x.in)
		if core.KindOf(err) != x.kind || !strings.Contains(core.AsError(err).Public(), x.want) {
			t.Errorf("%v, and not %s", err, x.want)
		}
	}
	if len(b.mails) > 0 {
		t.Error(b.mails)
	}
	wrong, err := New(Options{Server: strings.Replace(at, "p%40ss", "pass", 1), From: "shop@example.com", tls: trust})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, wrong, "k", mail(nil)); core.KindOf(err) != core.Failed || strings.Contains(err.Error(), "pass/word") {
		t.Error(err)
	}
	unknown, err := New(Options{Server: at, From: "shop@example.com", tls: &tls.Config{ServerName: "example.com", MinVersion: tls.VersionTLS12}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, unknown, "k", mail(nil)); err == nil {
		t.Error("a server that nobody vouches for was believed")
	}
	nowhere, err := New(Options{Server: "smtp://127.0.0.1:1", From: "shop@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, nowhere, "k", mail(nil)); core.KindOf(err) != core.Unavailable {
		t.Error(err)
	}
	none, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, none, "k", mail(nil)); core.KindOf(err) != core.Invalid {
		t.Error(err)
	}
	for _, o := range []Options{{Server: "mail.example.com", From: "a@b"}, {Server: "http://x", From: "a@b"}, {Server: "smtp://x"}, {From: "a@b"}, {Server: "smtp://x:y", From: "a@b"}, {Server: "smtp://x", From: "Shop"}} {
		if _, err := New(o); core.KindOf(err) != core.Invalid {
			t.Errorf("%v: %v", o, err)
		}
	}
}
