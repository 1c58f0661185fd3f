package graphql

import (
	"context"
	"fmt"

	gql "github.com/graphql-go/graphql"

	"colonnade/core"
)

// action is an action as a field of mutation_root.
type action struct {
	*core.Action
	output []core.Column
}

// done is the output of an action that tells nothing else.
var done = []core.Column{{Name: "ok", Kind: core.Boolean, Required: true, Doc: "True: it was done."}}

func (b *builder) declareAction(a *core.Action) error {
	at := core.At{}
	owner := "the action " + a.Name
	if err := core.CheckName("action", a.Name); err != nil {
		return err
	}
	if err := claim(b.roots, "field", owner, at, a.Name); err != nil {
		return err
	}
	args := gql.FieldConfigArgument{}
	for i := range a.Input {
		c := &a.Input[i]
		typ, err := b.inputType(owner, a.Name+"_"+c.Name, c)
		if err != nil {
			return err
		}
		args[c.Name] = &gql.ArgumentConfig{Type: typ, Description: columnDoc(c)}
	}
	out := &action{Action: a, output: a.Output}
	if len(out.output) == 0 {
		out.output = done
	}
	typ, err := b.outputObject(owner, a.Name+"_output", out.output)
	if err != nil {
		return err
	}
	b.mutation[a.Name] = &gql.Field{Type: required(typ), Args: args, Description: a.Doc}
	b.mutationRoots[a.Name] = &root{kind: callAction, action: out}
	return nil
}

// inputType returns the type of an argument; base names the types that it needs.
func (b *builder) inputType(owner, base string, c *core.Column) (gql.Input, error) {
	var typ gql.Input
	switch {
	case c.Kind == core.Object:
		if len(c.Fields) == 0 {
			return nil, noFields(owner, c)
		}
		if err := claim(b.names, "type", owner, core.At{}, base+"_input"); err != nil {
			return nil, err
		}
		fields := gql.InputObjectConfigFieldMap{}
		for i := range c.Fields {
			f := &c.Fields[i]
			t, err := b.inputType(owner, base+"_"+f.Name, f)
			if err != nil {
				return nil, err
			}
			fields[f.Name] = &gql.InputObjectFieldConfig{Type: t, Description: columnDoc(f)}
		}
		typ = gql.NewInputObject(gql.InputObjectConfig{Name: base + "_input", Fields: inputFields(fields), Description: c.Doc})
	default:
		typ = columnType(c)
	}
	if c.List {
		typ = listOf(typ)
	}
	if c.Required {
		typ = required(typ)
	}
	return typ, nil
}

func noFields(owner string, c *core.Column) error {
	return core.E("graphql.declareAction", core.Invalid, core.At{Column: c.Name}, owner+" has an object without fields: name them, or make it a "+string(core.JSON))
}

func (b *builder) outputObject(owner, name string, columns []core.Column) (*gql.Object, error) {
	if err := claim(b.names, "type", owner, core.At{}, name); err != nil {
		return nil, err
	}
	fields := gql.Fields{}
	for i := range columns {
		c := &columns[i]
		var typ gql.Output
		switch {
		case c.Kind == core.Object:
			if len(c.Fields) == 0 {
				return nil, noFields(owner, c)
			}
			o, err := b.outputObject(owner, name+"_"+c.Name, c.Fields)
			if err != nil {
				return nil, err
			}
			typ = o
		default:
			typ = columnType(c)
		}
		if c.List {
			typ = listOf(typ)
		}
		if c.Required {
			typ = required(typ)
		}
		fields[c.Name] = &gql.Field{Type: typ, Description: columnDoc(c)}
	}
	return gql.NewObject(gql.ObjectConfig{Name: name, Fields: objectFields(fields)}), nil
}

// compileCall compiles a call of an action.
func (c *compiler) compileCall(a *action, f *selected, args object) (*step, error) {
	raw := make(map[string]any, len(args))
	for _, m := range args {
		v, _ := plain(m.value)
		raw[m.name] = v
	}
	values, err := core.ParseInput(a.Input, raw)
	if err != nil {
		e := core.AsError(err)
		return nil, inField(f, within("."+e.Column, &inputError{msg: e.Msg, kind: e.Kind}))
	}
	var picks []pick
	if picks, err = c.picks(a.Name+"_output", a.output, f); err != nil {
		return nil, err
	}
	s := newStep(f)
	s.alone, s.define, s.secret = a.Alone, a.Define, a.Secret
	s.run = func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		const op = "graphql.call"
		if err := in.snap.Policy.MayCall(core.CallerFrom(ctx), a.Action); err != nil {
			return dst, core.E(op, err)
		}
		if err := in.snap.MaySend(core.CallerFrom(ctx), a.Action, values); err != nil {
			return dst, core.E(op, err)
		}
		out, err := a.Run(ctx, core.Call{In: values})
		if err != nil {
			return dst, core.E(op, err)
		}
		if len(a.Output) == 0 {
			out = core.Record{"ok": true}
		}
		if dst, err = appendPicks(dst, picks, out); err != nil {
			return dst, core.E(op, fmt.Errorf("the action %s: %w", a.Name, err))
		}
		return dst, nil
	}
	return s, nil
}

// pick is one key of the answer of an action: a constant, or a column with what is wanted of its objects.
type pick struct {
	key    string
	text   string
	column *core.Column
	inner  []pick
}

func (c *compiler) picks(typ string, columns []core.Column, f *selected) ([]pick, error) {
	fields, err := c.collect(f.sets)
	if err != nil {
		return nil, err
	}
	out := make([]pick, 0, len(fields))
	for _, s := range fields {
		if s.name == typename {
			out = append(out, pick{key: s.key, text: typ})
			continue
		}
		for i := range columns {
			col := &columns[i]
			if col.Name != s.name {
				continue
			}
			p := pick{key: s.key, column: col}
			if len(s.sets) > 0 {
				if p.inner, err = c.picks(typ+"_"+col.Name, col.Fields, s); err != nil {
					return nil, err
				}
			}
			out = append(out, p)
		}
	}
	return out, nil
}

func appendPicks(b []byte, picks []pick, r map[string]any) (_ []byte, err error) {
	b = append(b, '{')
	for i, p := range picks {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(core.AppendString(b, p.key), ':')
		if p.column == nil {
			b = core.AppendString(b, p.text)
			continue
		}
		v := r[p.column.Name]
		if v == nil && p.column.Required {
			return b, fmt.Errorf("the output %s has no value", p.column.Name)
		}
		if b, err = p.append(b, v); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// append appends a value of the column, whatever Go form of it the action used.
func (p *pick) append(b []byte, v any) (_ []byte, err error) {
	if p.inner == nil {
		if v, err = p.column.Parse(v); err != nil {
			return b, err
		}
		return p.column.AppendJSON(b, v), nil
	}
	items, isList := v.([]any)
	switch {
	case v == nil:
		return append(b, "null"...), nil
	case p.column.List && !isList:
		items, isList = []any{v}, true
	}
	if isList {
		b = append(b, '[')
		for i, item := range items {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = p.object(b, item); err != nil {
				return b, err
			}
		}
		return append(b, ']'), nil
	}
	return p.object(b, v)
}

func (p *pick) object(b []byte, v any) ([]byte, error) {
	switch m := v.(type) {
	case map[string]any:
		return appendPicks(b, p.inner, m)
	case core.Record:
		return appendPicks(b, p.inner, m)
	}
	return b, fmt.Errorf("the output %s is a %T, not an object", p.column.Name, v)
}
