package web

import (
	"net/url"
	"strings"
)

// ownPath returns target when it is a path of this server, "/" when it is anything else: another host, however it is
// spelled, or text that a browser would read in another way than we do.
func ownPath(target string) string {
	if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") {
		return "/"
	}
	for _, b := range []byte(target) {
		if b <= ' ' || b >= 0x7f || b == '\\' {
			return "/"
		}
	}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.Contains(u.Path, "//") || strings.Contains(u.Path, "\\") {
		return "/"
	}
	return target
}
