package classify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"colonnade/core"
	"colonnade/tables"
)

// Actions returns the actions of the plugin: train a classifier on a table's own rows, use it on a text or on records,
// and tell the sentiment of a text.
func Actions(store *tables.Store) []core.Action {
	p := &plugin{store: store, models: newModels(store)}
	return []core.Action{p.train(), p.text(), p.records(), p.sentiment()}
}

type plugin struct {
	store  *tables.Store
	models *models
}

func text(name, doc string) core.Column { return core.Column{Name: name, Kind: core.Text, Doc: doc} }

func required(c core.Column) core.Column { c.Required = true; return c }

// maxExamples is how many records a model is trained on at most.
const maxExamples = 200_000

func (p *plugin) train() core.Action {
	return core.Action{
		Name: "train_classifier", Privilege: "manage_models", Alone: true,
		Doc: "Trains a text classifier on records that have a label already, and keeps it as a new version of the model with its cross-validated score. The same records give the same version.",
		Input: []core.Column{
			required(text("model", "The name of the model.")), required(text("table", "Where the examples are.")),
			required(text("text", "The column with the text.")), required(text("label", "The column with the label.")),
			{Name: "limit", Kind: core.Integer, Doc: "Train on so many records at most, the oldest first."},
			{Name: "repeats", Kind: core.Boolean, Doc: "The texts to come repeat the ones trained on, word for word. Otherwise equal texts are kept together in the cross-validation, so that no copy gives its answer away."},
			{Name: "precision", Kind: core.Decimal, Doc: "The share of answers that shall be right; the model abstains from the rest. 0.95 when left out."},
		},
		Output: []core.Column{
			{Name: "id", Kind: core.UUID}, {Name: "number", Kind: core.Integer, Doc: "1 for the first version of the name."}, text("version", "A hash of the examples and settings."),
			{Name: "examples", Kind: core.Integer}, {Name: "accuracy", Kind: core.Float, Doc: "By cross-validation, over texts that were not trained on."},
			{Name: "base_rate", Kind: core.Float, Doc: "The accuracy of always giving the most frequent label."}, {Name: "report", Kind: core.JSON},
		},
		Examples: []core.Example{{In: core.Record{"model": "tone", "table": "review", "text": "body", "label": "tone"}}},
		Sends:    core.Sends{Model: true, Takes: []core.Taking{{Table: "table", Columns: []string{"text", "label"}}}},
		Run:      p.runTrain,
	}
}

func (p *plugin) runTrain(ctx context.Context, c core.Call) (core.Record, error) {
	const op = "classify.train_classifier"
	examples, err := p.examples(ctx, c.Text("table"), c.Text("text"), c.Text("label"), int(c.Int("limit", maxExamples)))
	if err != nil {
		return nil, core.E(op, err)
	}
	options := Options{Repeats: c.Bool("repeats")}
	if d, ok := c.In["precision"].(decimal.Decimal); ok {
		options.Target = d.InexactFloat64()
	}
	m, err := Train(ctx, examples, options)
	if errors.Is(err, ErrData) {
		return nil, core.E(op, core.Invalid, core.At{Table: c.Text("table")}, strings.TrimPrefix(err.Error(), ErrData.Error()+": "), err)
	}
	if err != nil {
		return nil, core.E(op, err)
	}
	settings := map[string]any{"text": c.Text("text"), "label": c.Text("label"), "examples": len(examples)}
	row, err := p.models.save(ctx, c.Text("model"), c.Text("table"), settings, m)
	if err != nil {
		return nil, core.E(op, err)
	}
	r := m.Report()
	report, err := json.Marshal(r)
	if err != nil {
		return nil, core.E(op, err)
	}
	return core.Record{
		"id": string(row.ID), "number": row.Number, "version": m.Version(), "examples": int64(r.N),
		"accuracy": r.Accuracy, "base_rate": r.BaseRate, "report": json.RawMessage(report),
	}, nil
}

func (p *plugin) examples(ctx context.Context, table, textColumn, label string, limit int) ([]Example, error) {
	snap := p.store.Snapshot()
	q := tables.Query{Table: table, Use: core.UseModel, Fields: []tables.Field{{As: "id", Column: "id"}, {As: textColumn, Column: textColumn}, {As: label, Column: label}}}
	var out []Example
	for r, err := range p.store.Scan(ctx, snap, q) {
		if err != nil {
			return nil, err
		}
		body, _ := r[textColumn].(string)
		if body == "" || r[label] == nil {
			continue
		}
		out = append(out, Example{Text: body, Label: fmt.Sprint(r[label])})
		if len(out) >= min(limit, maxExamples) {
			break
		}
	}
	return out, nil
}

var predictionOutput = []core.Column{
	text("label", "Null when the model abstains."), {Name: "probability", Kind: core.Float, Doc: "Calibrated."},
	{Name: "abstain", Kind: core.Boolean, Doc: "Whether a person should decide."},
	text("best", "The likeliest label, also when the model abstains."), {Name: "why", Kind: core.JSON, Doc: "The words that decided."},
}

func (p *plugin) text() core.Action {
	return core.Action{
		Name: "classify_text", Sends: core.Sends{Model: true}, Doc: "Gives a text one of the labels of a model.",
		Input:    []core.Column{required(text("model", "The model; its newest version is used.")), required(core.Column{Name: "text", Kind: core.LongText, Doc: "The text."})},
		Output:   predictionOutput,
		Examples: []core.Example{{In: core.Record{"model": "tone", "text": "I love it"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			m, err := p.models.newest(ctx, c.Text("model"))
			if err != nil {
				return nil, core.E("classify.classify_text", err)
			}
			g := m.Predict(c.Text("text"))
			why, err := json.Marshal(g.Why)
			if err != nil {
				return nil, core.E("classify.classify_text", err)
			}
			out := core.Record{"label": g.Label, "probability": g.P, "abstain": g.Abstain, "best": g.Label, "why": json.RawMessage(why)}
			if g.Abstain {
				out["label"] = nil
			}
			return out, nil
		},
	}
}

func (p *plugin) records() core.Action {
	return core.Action{
		Name: "classify_records", Doc: "Gives records a label each by the newest version of a model, and writes it with its probability into their columns. Where the model abstains the label stays empty.",
		Input: []core.Column{
			required(text("model", "The model.")), required(text("table", "The table.")),
			required(core.Column{Name: "ids", Kind: core.UUID, List: true, Doc: "The records."}),
			required(text("text", "The column with the text.")), required(text("label", "The column for the label.")),
			text("probability", "The column for the probability."), text("version", "The column for the version of the model."),
		},
		Output: []core.Column{{Name: "classified", Kind: core.Integer}, {Name: "abstained", Kind: core.Integer}, text("version", "The version used.")},
		Examples: []core.Example{{In: core.Record{
			"model": "tone", "table": "review", "ids": []any{"0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"}, "text": "body", "label": "tone",
		}}},
		Sends: core.Sends{Model: true, Takes: []core.Taking{{Table: "table", Columns: []string{"text"}}}},
		Run:   p.runRecords,
	}
}

// maxRecords is how many records one call classifies at most.
const maxRecords = 10_000

func (p *plugin) runRecords(ctx context.Context, c core.Call) (core.Record, error) {
	const op = "classify.classify_records"
	m, err := p.models.newest(ctx, c.Text("model"))
	if err != nil {
		return nil, core.E(op, err)
	}
	ids, _ := c.In["ids"].([]any)
	if len(ids) > maxRecords {
		return nil, core.E(op, core.Limit, core.At{Column: "ids"}, fmt.Sprintf("at most %d records at a time", maxRecords))
	}
	var out core.Record
	err = p.store.Tx(ctx, tables.TxOptions{Again: true}, func(ctx context.Context, tx *tables.Tx) error {
		out = core.Record{"classified": int64(0), "abstained": int64(0), "version": m.Version()}
		for part := range slices.Chunk(ids, tables.MaxLimit) {
			if err := p.classify(ctx, tx, m, c, part, out); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, core.E(op, err)
	}
	return out, nil
}

// classify predicts and writes; equal texts are looked at once.
func (p *plugin) classify(ctx context.Context, tx *tables.Tx, m *Model, c core.Call, ids []any, out core.Record) error {
	column := c.Text("text")
	found, err := p.store.Records(ctx, tx.Snapshot(), tables.Query{
		Table: c.Text("table"), Use: core.UseModel, Where: tables.Compare{Column: "id", Op: tables.In, Value: ids}, Limit: tables.MaxLimit,
		Fields: []tables.Field{{As: "id", Column: "id"}, {As: column, Column: column}},
	})
	if err != nil {
		return err
	}
	byText := map[string]core.Record{}
	updates := make([]tables.RowUpdate, len(found))
	for i, r := range found {
		body, _ := r[column].(string)
		values, ok := byText[body]
		if !ok {
			values = m.values(c, body)
			byText[body] = values
		}
		updates[i] = tables.RowUpdate{ID: core.ID(r["id"].(string)), Set: values}
		key := "classified"
		if values[c.Text("label")] == nil {
			key = "abstained"
		}
		out[key] = out[key].(int64) + 1
	}
	_, err = tx.UpdateRows(ctx, c.Text("table"), updates)
	return err
}

// values returns what a record with that text gets.
func (m *Model) values(c core.Call, body string) core.Record {
	g := m.Predict(body)
	values := core.Record{c.Text("label"): g.Label}
	if g.Abstain || body == "" {
		values[c.Text("label")] = nil
	}
	if name := c.Text("probability"); name != "" {
		values[name] = decimal.NewFromFloat(g.P).Round(4)
	}
	if name := c.Text("version"); name != "" {
		values[name] = m.Version()
	}
	return values
}

func (p *plugin) sentiment() core.Action {
	return core.Action{
		Name: "sentiment", Sends: core.Sends{Model: true}, Doc: "Tells whether an English text is positive, negative or neutral, by a lexicon and rules, without training.",
		Input:    []core.Column{required(core.Column{Name: "text", Kind: core.LongText, Doc: "The text."})},
		Output:   []core.Column{text("label", "positive, negative or neutral."), {Name: "score", Kind: core.Float, Doc: "From -1 to 1."}},
		Examples: []core.Example{{In: core.Record{"text": "I love it!"}, Out: core.Record{"label": "positive"}}},
		Run: func(_ context.Context, c core.Call) (core.Record, error) {
			f := Sentiment(c.Text("text"))
			return core.Record{"label": f.Label, "score": f.Compound}, nil
		},
	}
}
