package normal

import "strings"

// Email returns the address in lower case, without a display name, "mailto:" and, unless kept, the "+tag".
// What has no '@' between two texts is no address.
func Email(s string, keepTag bool) string {
	s = Mailbox(s)
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 {
		return ""
	}
	if plus := strings.IndexByte(s[:at], '+'); plus > 0 && !keepTag {
		s = s[:plus] + s[at:]
	}
	return s
}

// Mailbox returns the address in lower case, without a display name and "mailto:".
func Mailbox(raw string) string {
	s := strings.ToLower(strings.TrimSpace(raw))
	if i, k := strings.IndexByte(s, '<'), strings.IndexByte(s, '>'); i >= 0 && k > i {
		s = s[i+1 : k]
	}
	return strings.TrimSpace(strings.TrimPrefix(s, "mailto:"))
}
