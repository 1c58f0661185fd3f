package external

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"colonnade/core"
)

// maxModule is how large the file of a module may be, in bytes.
const maxModule = 32 << 20

// Plugin is a plugin as its folder holds it.
type Plugin struct {
	Manifest
	Digest string // sha256: and the hash of the manifest and the module; another one is another plugin
	module []byte // of a plugin that is one
}

// Load reads the plugin in the folder.
func Load(folder string) (*Plugin, error) {
	const op = "external.Load"
	file := filepath.Join(folder, ManifestName)
	text, err := readFile(file, maxManifest)
	if err != nil {
		return nil, core.E(op, err)
	}
	m, err := ReadManifest(text)
	if err != nil {
		return nil, core.E(op, file+": "+core.AsError(err).Msg, err)
	}
	p := &Plugin{Manifest: *m}
	if p.Wasm != "" {
		if p.module, err = readFile(filepath.Join(folder, p.Wasm), maxModule); err != nil {
			return nil, core.E(op, err)
		}
	}
	h := sha256.New()
	for _, part := range [][]byte{text, p.module} {
		_, _ = fmt.Fprintf(h, "%d:", len(part)) // a hash takes everything
		_, _ = h.Write(part)
	}
	p.Digest = "sha256:" + hex.EncodeToString(h.Sum(nil))
	return p, nil
}

// LoadAll reads the plugins of a folder, each in a folder of its own, by their names. Hidden folders are passed over.
func LoadAll(folder string) ([]*Plugin, error) {
	const op = "external.LoadAll"
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, core.E(op, core.Invalid, "the folder of plugins cannot be read: "+err.Error())
	}
	var out []*Plugin
	taken := map[string]string{}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		p, err := Load(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, core.E(op, err)
		}
		if other, ok := taken[p.Name]; ok {
			return nil, core.E(op, core.Exists, fmt.Sprintf("two plugins are called %s: those in the folders %s and %s", p.Name, other, e.Name()))
		}
		taken[p.Name] = e.Name()
		out = append(out, p)
	}
	return out, nil
}

func readFile(name string, most int64) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, core.E("external.readFile", core.NotFound, "there is no file "+name)
	case err != nil:
		return nil, core.E("external.readFile", core.Invalid, err.Error())
	case !info.Mode().IsRegular():
		return nil, core.E("external.readFile", core.Invalid, name+" is no file")
	case info.Size() > most:
		return nil, core.E("external.readFile", core.Limit, fmt.Sprintf("%s has more than %s", name, bytes(int(most))))
	}
	text, err := os.ReadFile(name)
	return text, core.E("external.readFile", err)
}
