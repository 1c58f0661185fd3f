package external

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"colonnade/core"
)

//go:embed scaffold
var scaffold embed.FS

// Scaffold makes the folder of a plugin that works, called as the folder is: a module, or a service. A file that is there already stays, and is an error.
func Scaffold(folder string, service bool) error {
	const op = "external.Scaffold"
	abs, err := filepath.Abs(folder)
	if err != nil {
		return core.E(op, core.Invalid, err.Error())
	}
	name := strings.ReplaceAll(filepath.Base(abs), "-", "_")
	if err := core.CheckName("plugin", name); err != nil {
		return core.E(op, err, "the folder gives the plugin its name: "+core.AsError(err).Msg)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // sources, for others to read
		return core.E(op, core.Invalid, "the folder cannot be made: "+err.Error())
	}
	kind := "scaffold/wasm"
	if service {
		kind = "scaffold/http"
	}
	entries, err := scaffold.ReadDir(kind)
	if err != nil {
		return core.E(op, err)
	}
	for _, e := range entries {
		text, err := scaffold.ReadFile(kind + "/" + e.Name())
		if err != nil {
			return core.E(op, err)
		}
		if err := writeNew(filepath.Join(folder, strings.TrimSuffix(e.Name(), ".txt")), strings.ReplaceAll(string(text), "NAME, a plugin", name+", a plugin"), name); err != nil {
			return core.E(op, err)
		}
	}
	return nil
}

// writeNew writes a file that is not there yet.
func writeNew(file, text, name string) error {
	for _, line := range []string{"name: NAME\n", "module NAME\n"} {
		text = strings.Replace(text, line, strings.Replace(line, "NAME", name, 1), 1)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // sources, for others to read
	if errors.Is(err, fs.ErrExist) {
		return core.E("external.writeNew", core.Exists, fmt.Sprintf("%s is there already: name a new folder", file))
	}
	if err != nil {
		return core.E("external.writeNew", core.Invalid, err.Error())
	}
	_, err = f.WriteString(text)
	return core.E("external.writeNew", errors.Join(err, f.Close()))
}
