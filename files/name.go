package files

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"colonnade/core"
)

// maxName is the longest name of a file, in bytes, as file systems have it.
const maxName = 255

// checkName refuses names that would lead somewhere or look like another: those with a path, with control characters, and
// with marks that turn the direction of writing.
func checkName(name string) error {
	problem := ""
	switch {
	case name == "" || name == "." || name == "..":
		problem = "a file needs a name: send it as ?name=photo.jpg"
	case len(name) > maxName:
		problem = fmt.Sprintf("the name of a file has at most %d bytes", maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError }):
		problem = "the name of the file holds characters that nobody sees: send it as UTF-8 without them"
	case strings.ContainsAny(name, `/\`):
		problem = `the name of a file holds no / and no \: send it without the folder`
	}
	if problem != "" {
		return core.E("files.checkName", core.Invalid, core.At{Column: "name"}, problem)
	}
	return nil
}
