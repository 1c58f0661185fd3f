package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// This file is how a plugin speaks with Colonnade: a request on standard input, an answer on standard output. A process answers one
// request, so that nothing is left of it for the next.

// request is what is asked.
type request struct {
	Action string          `json:"action"`
	Key    string          `json:"key"` // the same whenever the call is made again
	Input  json.RawMessage `json:"input"`
}

// failure is an error for who called the action. Kind is INVALID, RULE_FAILED, NOT_FOUND, DENIED, EXISTS, CONFLICT, LIMIT or UNAVAILABLE; a flow tries again after
// the last three.
type failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

func (f *failure) Error() string { return f.Message }

// action returns a function that reads the input of an action, has it run, and returns its output.
func action[In, Out any](run func(In) (Out, error)) func(json.RawMessage) (any, error) {
	return func(raw json.RawMessage) (any, error) {
		var in In
		if err := json.Unmarshal(raw, &in); err != nil {
			return nil, err
		}
		return run(in)
	}
}

// serve answers a request.
func serve(in io.Reader, out io.Writer, actions map[string]func(json.RawMessage) (any, error)) error {
	var r request
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return err
	}
	run, ok := actions[r.Action]
	if !ok {
		return fmt.Errorf("there is no action %q", r.Action)
	}
	output, err := run(r.Input)
	if f := (*failure)(nil); errors.As(err, &f) {
		return json.NewEncoder(out).Encode(map[string]any{"error": f})
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(map[string]any{"output": output})
}

// exit ends the process after an error that is not for its caller: the log of the server has it.
func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// graphql sends a request to the API, with the rights of who calls the action as far as the manifest asks for them, and reads its data.
func graphql(query string, variables any, data any) error {
	var reply struct {
		GraphQL struct {
			Data   json.RawMessage
			Errors []struct{ Message string }
		}
	}
	if err := ask(map[string]any{"op": "graphql", "query": query, "variables": variables}, &reply); err != nil {
		return err
	}
	if len(reply.GraphQL.Errors) > 0 {
		return &failure{"RULE_FAILED", reply.GraphQL.Errors[0].Message}
	}
	return json.Unmarshal(reply.GraphQL.Data, data)
}

// response is the answer of a server.
type response struct { //nolint:unused // not every plugin calls servers
	Status  int
	Headers map[string]string
	Body    string
	Body64  string // in place of Body, of an answer that is no text
}

// fetch calls a server that the manifest names. {{secret:NAME}} in a header stands for a secret.
func fetch(method, url string, headers map[string]string, body string) (response, error) { //nolint:unused // not every plugin calls servers
	var reply struct{ HTTP response }
	err := ask(map[string]any{"op": "http", "method": method, "url": url, "headers": headers, "body": body}, &reply)
	return reply.HTTP, err
}

// say writes to the log of the server. Level is debug, info, warn or error.
func say(level, message string) error {
	return ask(map[string]any{"op": "log", "level": level, "message": message}, nil)
}

// ask has the host do something.
func ask(what any, into any) error {
	b, err := json.Marshal(what)
	if err != nil {
		return err
	}
	reply, err := host(b)
	if err != nil {
		return err
	}
	var refused struct{ Error *failure }
	if err := json.Unmarshal(reply, &refused); err != nil {
		return err
	}
	if refused.Error != nil {
		return refused.Error
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(reply, into)
}
