package rules

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	"cel.dev/expr"
	_ "cel.dev/expr/conformance/proto2"
	_ "cel.dev/expr/conformance/proto3"
	spec "cel.dev/expr/conformance/test"
	"github.com/shopspring/decimal"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"colonnade/core"
	"colonnade/core/db"
)

// specFiles are the files of the CEL specification whose language flows have.
var specFiles = strings.Fields("basic bindings_ext comparisons conversions encoders_ext fp_math integer_math lists lists_ext logic macros macros2 math_ext namespace parse plumbing string wrappers")

// specDir is where the module cel.dev/expr keeps its tests.
func specDir(t testing.TB) string {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "cel.dev/expr").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "tests", "simple", "testdata")
}

// specTests yields the tests of the files.
func specTests(t *testing.T, files []string, yield func(t *testing.T, test *spec.SimpleTest)) {
	dir := specDir(t)
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(dir, name+".textproto"))
		if err != nil {
			t.Fatal(err)
		}
		file := &spec.SimpleTestFile{}
		if err := (prototext.UnmarshalOptions{Resolver: protoregistry.GlobalTypes}).Unmarshal(text, file); err != nil {
			t.Fatal(err)
		}
		for _, section := range file.GetSection() {
			for _, test := range section.GetTest() {
				t.Run(name+"/"+section.GetName()+"/"+test.GetName(), func(t *testing.T) { yield(t, test) })
			}
		}
	}
}

// TestSpec runs the tests of the CEL specification with the library that we evaluate with, so that a new version of it does
// not change what an expression means.
func TestSpec(t *testing.T) {
	run := 0
	specTests(t, specFiles, func(t *testing.T, test *spec.SimpleTest) {
		run++
		out, err := specValue(test)
		if err := specMismatch(test, out, err); err != nil {
			t.Errorf("%s: %v", test.GetExpr(), err)
		}
	})
	t.Logf("%d tests of %d files", run, len(specFiles))
	if run < 1000 {
		t.Errorf("only %d tests were found", run)
	}
}

// specValue evaluates a test as the specification does.
func specValue(test *spec.SimpleTest) (ref.Val, error) {
	opts := []cel.EnvOption{
		cel.OptionalTypes(), cel.EagerlyValidateDeclarations(true), cel.EnableErrorOnBadPresenceTest(true), cel.Container(test.GetContainer()), cel.TypeDescs(protoregistry.GlobalFiles),
		ext.Bindings(), ext.Encoders(), ext.Lists(), ext.Math(), ext.Protos(), ext.Sets(), ext.Strings(), ext.TwoVarComprehensions(),
	}
	if test.GetDisableMacros() {
		opts = append(opts, cel.ClearMacros())
	}
	for _, d := range test.GetTypeEnv() {
		o, err := cel.ProtoAsDeclaration(d)
		if err != nil {
			return nil, err
		}
		opts = append(opts, o)
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, err
	}
	tree, issues := env.Parse(test.GetExpr())
	if issues.Err() == nil && !test.GetDisableCheck() {
		tree, issues = env.Check(tree)
	}
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	if test.GetCheckOnly() {
		return nil, nil
	}
	vars := map[string]any{}
	for name, v := range test.GetBindings() {
		if vars[name], err = cel.ProtoAsValue(env.CELTypeAdapter(), v.GetValue()); err != nil {
			return nil, err
		}
	}
	program, err := env.Program(tree)
	if err != nil {
		return nil, err
	}
	out, _, err := program.Eval(vars)
	return out, err
}

// specMismatch says how a result is not what the test expects.
func specMismatch(test *spec.SimpleTest, out ref.Val, err error) error {
	want := test.GetValue()
	switch m := test.GetResultMatcher().(type) {
	case *spec.SimpleTest_EvalError, *spec.SimpleTest_AnyEvalErrors:
		if err == nil {
			return fmt.Errorf("got %v, want an error", out)
		}
		return nil
	case *spec.SimpleTest_TypedResult:
		want = m.TypedResult.GetResult()
	}
	if err != nil || test.GetCheckOnly() {
		return err
	}
	got, err := cel.ValueAsProto(out)
	if err != nil {
		return err
	}
	if want == nil {
		if out != types.True {
			return fmt.Errorf("got %v, want true", out)
		}
		return nil
	}
	if list := want.GetMapValue(); list != nil { // in any order
		if len(list.GetEntries()) != len(got.GetMapValue().GetEntries()) {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		for _, e := range list.GetEntries() {
			if !slices.ContainsFunc(got.GetMapValue().GetEntries(), func(x *expr.MapValue_Entry) bool { return proto.Equal(e, x) }) {
				return fmt.Errorf("got %v, want %v", got, want)
			}
		}
		return nil
	}
	if !proto.Equal(got, want) {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}

// otherTypes says why a test is of types that no table of ours has; empty when it is not.
func otherTypes(test *spec.SimpleTest) string {
	source := test.GetExpr()
	switch {
	case len(test.GetBindings()) > 0 || len(test.GetTypeEnv()) > 0 || test.GetCheckOnly():
		return "it has variables that no table has"
	case strings.Contains(source, "'.substring(40)"), strings.Contains(source, ".substring(") && strings.Contains(source, ", 50)"):
		return "our substring takes what there is of a text; that of CEL's extension fails beyond its end"
	case strings.Contains(source, "9999-12-31T") && strings.Contains(source, " - timestamp('"), strings.Contains(source, " - timestamp('9999"):
		return "our durations are longer than the 292 years of CEL's"
	}
	env, err := cel.NewEnv(ext.Strings(), ext.Math())
	if err != nil {
		return err.Error()
	}
	tree, issues := env.Compile(source)
	if issues.Err() != nil {
		return ""
	}
	for _, t := range tree.NativeRep().TypeMap() {
		if t.IsExactType(cel.DoubleType) {
			return "a literal with a point is a decimal of ours, and a float of CEL's"
		}
	}
	return ""
}

// TestSpecAsSQL evaluates every test of the specification whose types our tables have with CEL and with our language, in
// memory and on every database: the values are equal, or the expression is refused when it is compiled. An error of CEL is a
// NULL of ours.
func TestSpecAsSQL(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(specDir(t), "*.textproto"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i] = strings.TrimSuffix(filepath.Base(files[i]), ".textproto")
	}
	w := newWorld(t, []core.Record{{}})
	equal, refused, different, other := 0, 0, 0, map[string]int{}
	specTests(t, files, func(t *testing.T, test *spec.SimpleTest) {
		if why := otherTypes(test); why != "" {
			other[why]++
			return
		}
		e, err := Compile(nil, &w.table, test.GetExpr(), Options{})
		if err != nil {
			refused++
			return
		}
		value, err := specValue(test)
		want := specText(value, err)
		got := map[string]string{}
		v, err := e.Eval(nil, nil, core.Caller{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got["memory"] = ourText(v)
		for _, d := range w.dbs {
			v, err := w.specSQL(t, d, e)
			if err != nil {
				t.Fatal(err)
			}
			got[d.Name()] = ourText(v)
		}
		for where, s := range got {
			if s != want {
				different++
				t.Errorf("%s: CEL %s, %s %s", test.GetExpr(), want, where, s)
				return
			}
		}
		equal++
	})
	t.Logf("%d equal, %d refused when compiled, %d different; not compared: %v", equal, refused, different, other)
	if equal < 200 {
		t.Errorf("only %d tests were compared", equal)
	}
}

// specSQL computes e in a database, with nothing computed beforehand.
func (w *world) specSQL(t *testing.T, d *db.DB, e *Expr) (any, error) {
	out, _, err := w.ask(t, d, []*Expr{e}, core.Caller{}, false, time.Time{})
	if err != nil {
		return nil, err
	}
	switch s := out[0][0]; {
	case s == "null":
		return nil, nil
	case e.Type == "decimal":
		return decimal.NewFromString(s)
	case e.Type == "timestamp":
		return time.Parse("2006-01-02T15:04:05.999999", strings.TrimSuffix(s, "+00:00"))
	default:
		return s, nil
	}
}

// specText is a value of CEL as a text that ourText can be equal to.
func specText(v ref.Val, err error) string {
	if err != nil {
		return "null"
	}
	switch v := v.(type) {
	case types.Double:
		return strconv.FormatFloat(float64(v), 'g', -1, 64)
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339Nano)
	case types.Duration:
		return strconv.FormatInt(v.Microseconds(), 10)
	}
	return fmt.Sprint(v.Value())
}

func ourText(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case decimal.Decimal:
		return strconv.FormatFloat(v.InexactFloat64(), 'g', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case core.Span:
		return strconv.FormatInt(int64(v), 10)
	}
	return fmt.Sprint(v)
}
