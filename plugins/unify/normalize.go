package unify

import "colonnade/core/normal"

// Every value has two forms. The match form is what comparisons see: folded, abbreviated, sorted; equal match forms are
// equal values, and "" is a missing one; package normal makes most of them. The shown form goes into the golden record: the
// raw text with its white space tidied or, where a type has one standard spelling (date, phone, e-mail), that.

func showEmail(_, raw string) string { return normal.Mailbox(raw) }

// showPhone answers the number with its extension: "+19835660706 x9509".
func showPhone(match, raw string) string {
	if match == "" || match[0] != '+' {
		return raw
	}
	if _, ext := normal.CutExtension(raw); ext != "" {
		return match + " x" + ext
	}
	return match
}
