package external

import (
	stdbytes "bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"colonnade/core"
)

// wireRequest is what a plugin is asked, over its standard input or over HTTP. The members come in this order.
type wireRequest struct {
	Plugin  string          `json:"plugin"`
	Version string          `json:"version"` // of the manifest
	Action  string          `json:"action"`  // without the name of the plugin
	Key     string          `json:"key"`     // the same whenever the call is made again
	Input   json.RawMessage `json:"input"`
}

// wireAnswer is what a plugin answers: an output, or why there is none.
type wireAnswer struct {
	Output map[string]any `json:"output"`
	Error  *wireError     `json:"error"`
}

// wireError is an error as plugins tell it, and are told it.
type wireError struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// wireKinds are the kinds of errors that a plugin may answer with.
var wireKinds = []core.ErrKind{core.Invalid, core.Failed, core.NotFound, core.Denied, core.Exists, core.Conflict, core.Limit, core.Unavailable}

// maxMessage is how long the message of a plugin is at most, in characters.
const maxMessage = 500

// faulty says that a plugin did what no plugin should, or did not answer: several of them in a row, and it is left alone for a while.
type faulty struct{ err error }

func (f *faulty) Error() string { return fmt.Sprint(f.err) }

func (f *faulty) Unwrap() error { return f.err }

// fault is the error for a plugin that broke. To do the same again would not help.
func fault(p *Plugin, what string, cause error) error {
	return core.E("external.fault", core.Failed, fmt.Sprintf("the plugin %s %s", p.Name, what), &faulty{cause})
}

// late is the error for a plugin that did not answer, which may do so another time.
func late(p *Plugin, what string, cause error) error {
	return core.E("external.late", core.Unavailable, fmt.Sprintf("the plugin %s %s", p.Name, what), &faulty{cause})
}

// ask writes the request for a call of an action.
func (p *Plugin) ask(a *Action, call core.Call, key string) ([]byte, error) {
	in := core.Table{Name: a.Name, Columns: a.Input}
	b, err := json.Marshal(wireRequest{Plugin: p.Name, Version: p.Version, Action: a.Name, Key: key, Input: in.AppendJSON(nil, call.In)})
	return b, core.E("external.ask", err)
}

// read takes an answer apart, which must be what the manifest describes.
func (p *Plugin) read(a *Action, raw []byte) (core.Record, error) {
	const op = "external.read"
	d := json.NewDecoder(stdbytes.NewReader(raw))
	d.UseNumber()
	d.DisallowUnknownFields()
	var answer wireAnswer
	if err := d.Decode(&answer); err != nil {
		return nil, fault(p, `answered with what is not {"output": {...}} or {"error": {...}}`, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fault(p, "wrote more than one answer", nil)
	}
	if e := answer.Error; e != nil {
		if answer.Output != nil || !slices.Contains(wireKinds, core.ErrKind(e.Kind)) {
			return nil, fault(p, fmt.Sprintf("answered with an error of the kind %q; there are: %v", e.Kind, wireKinds), nil)
		}
		msg := []rune(e.Message)
		return nil, core.E(op, core.ErrKind(e.Kind), fmt.Sprintf("the plugin %s says: %s", p.Name, string(msg[:min(len(msg), maxMessage)])))
	}
	out, err := core.ParseInput(a.Output, answer.Output)
	if err != nil {
		return nil, fault(p, "answered what its manifest does not describe: "+core.AsError(err).Public(), err)
	}
	return out, nil
}
