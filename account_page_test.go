package main

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestAccountPages clicks through the pages to sign in and of one's own account, with passkeys and codes.
func TestAccountPages(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.ann(`"clerk"`)
		b := openChrome(t, strings.NewReplacer("127.0.0.1", "localhost", "/graphql", "").Replace(p.url))
		const password = "seven green doors sing"
		in := func(password string) {
			b.fill("form[action='/auth/login']", map[string]string{"email": "ann@example.com", "password": password})
		}
		b.open("/login?redirect=/account")
		b.until(`!document.getElementById("passkey").hidden`)
		b.picture("login")
		in("not the password")
		b.shows("The e-mail address or the password is wrong.")
		b.picture("login-refused")
		in(annPassword)
		b.shows("API keys")

		// A passkey is the first second factor, and brings recovery codes.
		b.fill("#add", map[string]string{"name": "Laptop <b>"})
		b.shows("Keep these codes elsewhere")
		b.shows("Laptop <b>, for localhost")
		if n := len(strings.Fields(strings.SplitN(b.text("#codes"), "\n\n", 2)[1])); n != 10 {
			t.Errorf("%d recovery codes", n)
		}
		b.picture("account-passkey")
		b.fill("#add", map[string]string{"name": "Laptop again"})
		b.shows("This device has a passkey for you already")

		// It signs in alone, and with it the session has its second factor.
		b.signOut()
		b.open("/login?redirect=/account")
		b.click("#passkey")
		b.shows("passkey and second factor")
		b.fill("#password", map[string]string{"old": annPassword, "new": password})
		b.until(`document.querySelector("#password [name=old]").value === "" && document.getElementById("problem").hidden`)

		// The password alone waits for it.
		b.signOut()
		b.open("/login?redirect=/account")
		in(password)
		b.shows("Code of your app, or a recovery code")
		b.picture("login-second")
		b.open("/account")
		b.until(`location.pathname === "/login"`)
		in(password)
		b.shows("Code of your app, or a recovery code")
		b.click("#passkey")
		b.shows("password and second factor")

		// An app besides.
		b.click("#enroll")
		b.do("the QR code", chromedp.WaitVisible(chromedp.CSS("#qr path")))
		b.picture("account-app")
		secret := strings.ReplaceAll(b.text("#secret"), " ", "")
		b.fill("#confirm", map[string]string{"code": appCode(t, secret, 0)})
		b.shows("Keep these codes elsewhere")
		b.signOut()
		b.open("/login?redirect=/account")
		in(password)
		b.fill("form[data-second]", map[string]string{"code": appCode(t, secret, 1)})
		b.shows("API keys")

		// What wants the second factor again gets it by the passkey, and goes on by itself.
		p.age(16 * time.Minute)
		b.click("#passkeys button")
		b.do("again", chromedp.WaitVisible(chromedp.CSS("#again-passkey")))
		b.picture("account-again")
		b.click("#again-passkey")
		b.until(`document.getElementById("passkeys").children.length === 0`)
		other := p.browser()
		other.signIn("ann@example.com", password)
		b.open("/account")
		b.until(`document.getElementById("sessions").children.length > 1`)
		b.click("#end")
		b.until(`document.getElementById("sessions").children.length === 1`)
		other.post("/auth/second-factor", map[string]string{"code": "000000"}, 403)
		b.click("#drop")
		b.until(`!document.getElementById("sessions").innerText.includes("nothing")`)
		b.signOut()
		b.open("/login?redirect=/account")
		in(password)
		b.shows("API keys")

		// A passkey that was taken away, and one of somebody who may not come in, are good for nothing.
		b.fill("#add", map[string]string{"name": "Laptop"})
		b.shows("Laptop, for localhost")
		b.signOut()
		p.must("admin", `mutation { disable_user(user: "ann@example.com") { id } }`)
		b.open("/login")
		b.click("#passkey")
		b.shows("The passkey is not known here")
		p.wants("admin", `mutation { read_access_log(kind: "refused") { entries { data } } }`, `"method":"passkey"`, `"reason":"the account is disabled"`)
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.problems) > 0 {
			t.Errorf("the browser tells of: %s", b.problems)
		}
	})
}
