package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// chrome is a real browser, in which a device keeps passkeys.
type chrome struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu       sync.Mutex
	problems []string // that the browser tells of: scripts that failed, what the policy of contents forbids
}

const chromePatience = 2 * time.Minute // for everything that a test does in it

// openChrome starts the browser. The device verifies who holds it.
func openChrome(t *testing.T, base string) *chrome {
	t.Helper()
	b := &chrome{t: t, base: base}
	ctx, late := context.WithTimeout(context.WithoutCancel(t.Context()), chromePatience)
	o := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(chromiumPath(t)), chromedp.WindowSize(900, 1300))
	if os.Getuid() == 0 {
		o = append(o, chromedp.NoSandbox) // Chromium does not start otherwise
	}
	ctx, stop := chromedp.NewExecAllocator(ctx, o...)
	ctx, end := chromedp.NewContext(ctx, chromedp.WithListener(b.heard))
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		end()
		stop()
		late()
	})
	b.ctx = ctx
	b.open("/health/live")
	if _, err := chromedp.Call(b.ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	_, err := chromedp.Call(b.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func chromiumPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	lacking(t, "no Chromium: install the package chromium")
	return ""
}

// lacking skips a test for want of what it needs, and fails it where everything is to be tested, as by scripts/test.sh.
func lacking(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("COLONNADE_TEST_ALL") == "1" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// heard notes what the browser tells of. That a request was refused is none of its business.
func (b *chrome) heard(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			b.problems = append(b.problems, e.Entry.Text)
		}
	}
}

// do does what a person does.
func (b *chrome) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		page, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		b.t.Fatalf("%s: %v\n%s", what, err, page)
	}
}

// until waits for an expression of the page to be true, also when that is another page.
func (b *chrome) until(expression string) {
	b.t.Helper()
	for {
		_, err := chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(30*time.Second)))
		if err == nil {
			return
		}
		if b.ctx.Err() != nil || errors.Is(err, chromedp.ErrPollingTimeout) {
			page, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
			b.t.Fatalf("%s: %v\n%s", expression, err, page)
		}
	}
}

// shows waits for the page to show the text.
func (b *chrome) shows(text string) {
	b.t.Helper()
	b.until("document.body.innerText.includes(" + quoted(text) + ")")
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

// fill fills in a form, and sends it.
func (b *chrome) fill(form string, fields map[string]string) {
	b.t.Helper()
	for name, v := range fields {
		at := form + ` [name="` + name + `"]`
		b.do(at, chromedp.WaitVisible(chromedp.CSS(at)))
		if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.querySelector(`+"`"+at+"`"+`).value = ""`)); err != nil {
			b.t.Fatal(at, err)
		}
		b.do(at, chromedp.SendKeys(chromedp.CSS(at), v))
	}
	b.click(form + " button")
}

func (b *chrome) click(selector string) {
	b.t.Helper()
	b.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

func (b *chrome) open(path string) {
	b.t.Helper()
	b.do(path, chromedp.Navigate(b.base+path))
}

func (b *chrome) text(selector string) string {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		b.t.Fatal(selector, err)
	}
	return out
}

// signOut ends the session.
func (b *chrome) signOut() {
	b.t.Helper()
	script := `fetch("/auth/logout", {method: "POST", headers: {"content-type": "application/json"}, body: "{}"}).then((r) => r.status)`
	status, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](script, chromedp.EvalAwaitPromise))
	if err != nil || status != 200 {
		b.t.Fatal("signing out:", status, err)
	}
}

// picture keeps what the page looks like, for people who want to see it: COLONNADE_PICTURES names the folder.
func (b *chrome) picture(name string) {
	b.t.Helper()
	folder := os.Getenv("COLONNADE_PICTURES")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
