package egress

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"colonnade/core"
)

// harmless are the headers that another host may see: those that say which form of an answer is wanted.
var harmless = []string{"Accept", "Accept-Language", "User-Agent"}

// redirect decides whether a client goes where an answer sends it. Once it was sent to another origin, the secrets of the
// request stay away, also when the next answer sends it back.
func redirect(next *http.Request, via []*http.Request) error {
	const op = "egress.redirect"
	if len(via) > maxRedirects {
		return core.E(op, core.Denied, fmt.Sprintf("the address redirects more than %d times: call the last of them", maxRedirects))
	}
	first, last := via[0].URL, via[len(via)-1].URL
	if last.Scheme == "https" && next.URL.Scheme != "https" {
		return core.E(op, core.Denied, "the address redirects from https to "+next.URL.Scheme)
	}
	away := !sameOrigin(first, next.URL)
	for _, r := range via {
		away = away || !sameOrigin(first, r.URL)
	}
	if !away {
		return nil
	}
	if next.Body != nil && next.Body != http.NoBody {
		_ = next.Body.Close()
		return core.E(op, core.Denied, "the address wants the body sent to another host, "+next.URL.Host+": call that")
	}
	kept := http.Header{}
	for _, name := range harmless {
		if v := next.Header.Values(name); len(v) > 0 {
			kept[name] = v
		}
	}
	next.Header = kept
	return nil
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host) }
