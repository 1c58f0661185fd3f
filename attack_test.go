package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// attacks are the families of attacks that broke servers like this one, A-01 to A-34, and the tests that try them here, by
// the folder that they are in. A test that has the name of a family, such as TestAttackA09, counts without being listed. Of a
// family that needs what there is not yet, why says what that is.
var attacks = []struct {
	family, about string
	tests         []string
	why           string
}{
	{"A-01", "filter and sort on a hidden column", []string{"main.TestAttackA01HiddenColumns", "main.TestOracle", "tables.TestHiddenInBetween", "authz.TestHiddenColumns"}, ""},
	{"A-02", "search in hidden columns", []string{"main.TestAttackA02SearchOfHiddenColumns", "tables.TestSearchDiffers"}, ""},
	{"A-03", "aggregates past the rows in reach", []string{"main.TestAttackA03Aggregates", "main.TestOracle"}, ""},
	{"A-04", "calculated columns over what is hidden", []string{"main.TestAttackA01HiddenColumns", "tables.TestAttackA04DerivedRights", "tables.TestStoredReadsLikeVirtual"}, ""},
	{"A-05", "roles that include roles", []string{"authz.TestAttackA05", "authz.TestCasbinAgrees", "authz.TestRoles"}, ""},
	{"A-06", "feeds past the rules", []string{"tables.TestAttackA06Feed", "main.TestFeedOverHTTP"}, ""},
	{"A-07", "who is locked out keeps going", []string{"main.TestAttackA07KeptOut", "authz.TestSessionEnds", "tables.TestTwoServers"}, ""},
	{"A-08", "another identity within the envelope", []string{"transfer.TestImportRights", "flows.TestAttackA19Rights"}, ""},
	{"A-09", "giving what one does not hold", []string{"tables.TestAttackA09", "tables.TestAccess", "authz.TestCheckGrant"}, ""},
	{"A-10", "texts that become SQL", []string{"main.TestAttackA10Injection", "rules.TestInjection", "rules.TestInjectionOfNames", "rules.TestInjectionOfOperators"}, ""},
	{"A-11", "expressions that escape", []string{"rules.TestBombs", "rules.TestInjection"}, ""},
	{"A-12", "enumeration of the schema", []string{"main.TestAttackA12SchemaEnumeration"}, ""},
	{"A-13", "amplification by aliases", []string{"main.TestAttackA13Amplification"}, ""},
	{"A-14", "the limiter is the attack", []string{"graphql.TestAttackA14Killers"}, ""},
	{"A-15", "requests into the network of the server", []string{"core/egress.TestAttackA15Addresses", "core/egress.TestAttackA15URLs", "core/egress.TestAttackA15Names", "core/egress.TestAttackA15Redirects", "core/egress.TestAttackA15Limits", "core/egress.TestAttackA15Proxy", "main.TestWhoCallsOut"}, ""},
	{"A-16", "secrets that go elsewhere", []string{"core/secret.TestAttackA16ForgedEnvelopes"}, ""},
	{"A-17", "files", []string{"main.TestAttackA17Files", "files.TestGuessedID", "files.TestDiskStaysInFolder", "files.TestTypeFromContent"}, ""},
	{"A-18", "routes without a check", []string{"web.TestAttackA18Routes", "web.TestEveryRouteHasAPolicy", "web.TestRouteWithoutAccessLetsNobodyIn"}, ""},
	{"A-19", "flows with more rights than who starts them", []string{"flows.TestAttackA19Rights"}, ""},
	{"A-20", "history, exports and logs that tell secrets", []string{"main.TestAttackA20Canaries", "main.TestAttackA20ConnectionString", "main.TestAttackA20ClassesInLogs", "flows.TestDataClassesInRecordings", "tables.TestHistoryShowsWhatMayBeSeen"}, ""},
	{"A-21", "mutations that return what may not be read", []string{"tables.TestRefusals", "tables.TestReach"}, ""},
	{"A-22", "records moved out of reach, and into it", []string{"tables.TestAttackA22", "tables.TestReach"}, ""},
	{"A-23", "keys that tell of hidden records", []string{"tables.TestReach", "tables.TestOnConflict"}, ""},
	{"A-24", "accounts that are linked to a stranger's", []string{"main.TestAttackA24ForgedLogIns", "main.TestOIDCProvider"}, ""},
	{"A-25", "redirects elsewhere", []string{"web.TestAttackA25Redirects"}, ""},
	{"A-26", "limits by a key that the client chooses", []string{"web.TestAttackA26Rate", "web.TestAttackA26Login", "web.TestRateBehindProxy", "web.TestPeer"}, ""},
	{"A-27", "decisions that are taken for another", []string{"graphql.TestAttackA27PlanOfAnother", "graphql.TestCallersAlike", "authz.TestManyRoleSets", "authz.TestScope"}, ""},
	{"A-28", "ids of another table", []string{"main.TestAttackA28SameIDs"}, ""},
	{"A-29", "an inner API that passes every check", []string{"main.TestAttackA29WhoActsAsSystem"}, ""},
	{"A-30", "open unless somebody closes it", []string{"main.TestAttackA30ClosedByDefault"}, ""},
	{"A-31", "scripts in data", []string{"main.TestAttackA31StoredScripts"}, ""},
	{"A-32", "requests that a page of another site makes", []string{"web.TestAttackA32Forgery", "web.TestAttackA32CORS", "web.TestAttackA32Streams"}, ""},
	{"A-33", "lists of what is forbidden", []string{"main.TestAttackA33UnknownKeys"}, ""},
	{"A-34", "writes that are cut short in silence", []string{"main.TestAttackA34Truncation", "tables.TestSizes", "tables.TestBulkCounts"}, ""},
}

// TestEveryAttackHasItsTest fails when a family has no test and no reason for that, or names a test that there is not.
func TestEveryAttackHasItsTest(t *testing.T) {
	there := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || path != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(filepath.Dir(path))
		if folder == "." {
			folder = "main"
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				there[folder+"."+fn.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range attacks {
		if want := fmt.Sprintf("A-%02d", i+1); a.family != want {
			t.Fatalf("%s is in the place of %s", a.family, want)
		}
		own := "TestAttackA" + strings.TrimPrefix(a.family, "A-")
		named := slices.ContainsFunc(slices.Collect(maps.Keys(there)), func(name string) bool { return strings.Contains(name, "."+own) })
		if len(a.tests) == 0 && !named && a.why == "" {
			t.Errorf("%s, %s, has neither a test nor a reason", a.family, a.about)
		}
		for _, name := range a.tests {
			if !there[name] {
				t.Errorf("%s, %s: there is no %s", a.family, a.about, name)
			}
		}
	}
	if len(attacks) != 34 {
		t.Errorf("%d families", len(attacks))
	}
}
