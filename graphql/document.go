package graphql

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	vcore "github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"colonnade/core"
)

// document is a document that is valid against the types of its api.
type document struct {
	*ast.QueryDocument
	size       size
	tables     []string // of which it says something
	operations []*operation
}

// The rules of the specification. The first group suggests a name that is there in place of one that is not, the second
// is the same without.
var (
	suggestingRules = []vcore.Rule{rules.FieldsOnCorrectTypeRule, rules.KnownArgumentNamesRule, rules.KnownTypeNamesRule, rules.ScalarLeafsRule, valuesOfCorrectType(true)}
	terseRules      = []vcore.Rule{
		rules.FieldsOnCorrectTypeRuleWithoutSuggestions, rules.KnownArgumentNamesRuleWithoutSuggestions, rules.KnownTypeNamesRuleWithoutSuggestions,
		rules.ScalarLeafsRuleWithoutSuggestions, valuesOfCorrectType(false),
	}
	otherRules = []vcore.Rule{
		rules.FragmentsOnCompositeTypesRule, rules.KnownDirectivesRule, rules.KnownFragmentNamesRule, rules.KnownRootTypeRule,
		rules.LoneAnonymousOperationRule, rules.MaxIntrospectionDepth, rules.NoFragmentCyclesRule, rules.NoUndefinedVariablesRule,
		rules.NoUnusedFragmentsRule, rules.NoUnusedVariablesRule, rules.PossibleFragmentSpreadsRule, rules.ProvidedRequiredArgumentsRule,
		rules.SingleFieldSubscriptionsRule, rules.UniqueArgumentNamesRule, rules.UniqueDirectivesPerLocationRule, rules.UniqueFragmentNamesRule,
		rules.UniqueInputFieldNamesRule, rules.UniqueOperationNamesRule, rules.UniqueVariableNamesRule, rules.VariablesAreInputTypesRule,
		rules.VariablesInAllowedPositionRule,
	}
)

// suggestUpTo is how many errors are few enough to look for what may have been meant, which takes time.
const suggestUpTo = 3

// parse returns the document of a text. What is wrong with it is one error or more, never more than maxErrors. A
// stranger learns no name from it that he does not know.
func (a *api) parse(text string, l core.Limits, who reader) (*document, []wireError) {
	if d, ok := a.documents.get(text); ok && (who.sees == nil || !slices.ContainsFunc(d.tables, func(t string) bool { return !who.sees(t) })) {
		if msg := d.size.check(l); msg != "" {
			return nil, []wireError{limitError(msg)}
		}
		if who.stranger && !onlyTypename(d.QueryDocument) {
			return nil, []wireError{signIn()}
		}
		return d, nil
	}
	s, msg := screen(text, l)
	if msg != "" {
		return nil, []wireError{limitError(msg)}
	}
	doc, err := parser.ParseQuery(&ast.Source{Input: text})
	if err != nil {
		return nil, []wireError{syntaxError(err)}
	}
	if len(doc.Operations) == 0 {
		return nil, []wireError{{Message: "the document has no operation", Extensions: extensions{Code: "parse-failed", Kind: invalid}}}
	}
	if measure(doc, &s); s.check(l) != "" {
		return nil, []wireError{limitError(s.check(l))}
	}
	if who.stranger && !onlyTypename(doc) {
		return nil, []wireError{signIn()}
	}
	veiled := who.sees != nil && a.veil(doc, who.sees)
	if errs := a.validate(doc, who.sees == nil); len(errs) > 0 {
		if veiled {
			errs = unmark(errs)
		}
		return nil, validationErrors(errs)
	}
	d := &document{QueryDocument: doc, size: s, tables: a.tablesOf(doc)}
	for _, op := range doc.Operations {
		d.operations = append(d.operations, a.operation(op, len(text)))
	}
	a.documents.put(text, d, len(text)+300*s.tokens) // a token is that many bytes of the tree, roughly
	return d, nil
}

// validate runs the rules of the specification. That fields can be merged is checked last and by a rule of our own,
// since that of the library compares every two fields. Suggestions name what the types have, whoever may use it.
func (a *api) validate(doc *ast.QueryDocument, suggest bool) []*gqlerror.Error {
	errs := a.run(doc, terseRules, otherRules)
	if n := len(errs); suggest && n > 0 && n <= suggestUpTo {
		errs = a.run(doc, suggestingRules, otherRules)
	}
	if len(errs) == 0 {
		errs = mergeable(doc)
	}
	return errs
}

// errEnough ends a validation that has found maxErrors.
var errEnough = errors.New("enough")

func (a *api) run(doc *ast.QueryDocument, groups ...[]vcore.Rule) (errs []*gqlerror.Error) {
	defer func() {
		if r := recover(); r != nil && r != any(errEnough) {
			panic(r)
		}
	}()
	observers := &vcore.Events{}
	for _, rule := range slices.Concat(groups...) {
		rule.RuleFunc(observers, func(options ...vcore.ErrorOption) {
			e := &gqlerror.Error{Rule: rule.Name}
			for _, o := range options {
				o(e)
			}
			if errs = append(errs, e); len(errs) >= maxErrors {
				panic(errEnough)
			}
		})
	}
	vcore.Walk(a.ast, doc, observers)
	return errs
}

// operation returns the operation of that name, or the only one.
func (d *document) operation(name string) (*operation, string) {
	if name == "" {
		if len(d.operations) > 1 {
			return nil, "the document has several operations: say which with operationName"
		}
		return d.operations[0], ""
	}
	for _, op := range d.operations {
		if op.Name == name {
			return op, ""
		}
	}
	return nil, fmt.Sprintf("the document has no operation named %q", cut(name))
}

// cut shortens a text of the client's for a message.
func cut(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "..."
	}
	return s
}
