package xds_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// fault is something that goes wrong around an xDS server, and the tests that
// hold what this one does then. A test is named with its folder, seen from this
// one, where it is not here.
type fault struct {
	what  string
	tests []string
}

// faults are numbered from 1, and their number stays theirs.
var faults = []fault{
	{"a rejected version goes out once, in the node's words, and its correction at once", []string{"TestRejectedVersionIsParked", "TestRefusedGoesAtOnce"}},
	{"the first version ever is rejected", []string{"TestFirstEverIsRejected"}},
	{"one cluster is rejected, and the endpoints of the others move on", []string{"TestRejectionHarmsNoOtherType", "TestStandingRejectionStopsNothingElse"}},
	{"an answer comes with a stale nonce", []string{"TestStaleNonce", "TestSupersededResponsesAreSkipped"}},
	{"an empty response is ACKed", []string{"TestEmptyAnswerIsNotApplied"}},
	{"a response is applied in part: what is ACKed and what is active differ", []string{"truth/TestEnvoyRejectedInPart", "TestStandingRejectionKeepsTheAccepted"}},
	{"the stream breaks between a response and its ACK; the node comes back with an old, the same, a foreign version", []string{"TestReconnectInTheMiddle", "TestReconnect", "TestReconnectDelta", "TestRejectionAfterReconnect"}},
	{"the control plane restarts with the same configuration", []string{"TestServerRestart", "TestEnvoySurvivesRestartOfServer", "TestEnvoyIsLedOnAfterRestart"}},
	{"a node connects before there is any configuration", []string{"TestConnectBeforePublish", "TestPublishWithoutServing"}},
	{"an Envoy is killed; a thousand come back at once", []string{"TestThousandReconnects", "TestNewProcessWhileOldStreamHangs", "TestEnvoySurvivesRestartOfServer"}},
	{"a client never reads, another never ACKs", []string{"TestClientThatNeverReads", "TestClientThatNeverACKs", "TestSlowNodeHoldsNoOther"}},
	{"two Envoys have one id", []string{"TestTwoEnvoysOfOneID", "TestTwoStreamsOfOneNode"}},
	{"requests without a node, of 1 MB, of no type, of 10,000 names, of 5 MiB; garbage for frames", []string{"TestBadRequests", "TestBadDeltaRequests", "TestHugeRequests", "TestOddTypes", "TestGarbageOnTheSocket", "FuzzRequest"}},
	{"a thousand revisions a second", []string{"TestThousandPublishes", "TestBurstCoalesces"}},
	{"a revision comes during a rollout, a rejection, a disconnect", []string{"TestNewerWaitsForAnswer", "TestNewerGoesWhileAnswerIsWithheld", "TestReconnectInTheMiddle", "TestNodesConverge"}},
	{"blue and green, a cluster renamed, a listener's port, a route moved, all under load", []string{"TestEnvoyLosesNoRequest", "TestEnvoyLosesRequestsUnsequenced"}},
	{"one cluster is added, removed, added", []string{"TestAddRemoveAdd"}},
	{"a cluster changes, and its endpoints do not", []string{"TestEndpointsFollowChangedCluster", "TestEnvoyWarmingIsCancelled"}},
	{"a reference leads nowhere", []string{"TestNoRouteLeadsToWhatWasRejected", "TestNoRouteLeadsToAnUnansweredCluster"}},
	{"the server ends around a publish: all of it is done, or nothing", []string{"TestPublishWithoutServing", "TestStopDuringPush"}},
	{"who watches is slow, or gone", []string{"TestSlowWatcher"}},
	{"the server ends with open streams, twice, during a push", []string{"TestStopWithOpenStreams", "TestStopDuringPush"}},
	{"the address is taken, a socket is left behind, no more files can be opened", []string{"TestListenRefuses", "TestListenOnSocket", "TestNoMoreFiles"}},
	{"the clock jumps", []string{"TestClockJumps"}},
	{"streams come and go by the thousand", []string{"TestStreamCyclesLeaveNothing"}},
	{"SotW and delta clients at one server", []string{"TestNodesConverge", "TestThousandReconnects"}},
	{"what a grpc-go client says of itself and what the server knows", []string{"csds/TestGRPCClientAgrees", "csds/TestGRPCClientTruth"}},
	{"floods of what is not served", []string{"TestTelemetryFlood"}},
	{"the conformance suite, and another server beside this one", []string{"xdstest/adapter/TestSuite", "TestSameAsStock"}},
	{"anything, in any order", []string{"TestNodesConverge", "FuzzRequest"}},
}

// Each fault has its tests, and they exist.
func TestFaultsAreTested(t *testing.T) {
	if len(faults) != 30 {
		t.Errorf("%d faults, want 30", len(faults))
	}
	folders := map[string]map[string]bool{}
	for i, f := range faults {
		if len(f.tests) == 0 {
			t.Errorf("fault %d, %s: no test", i+1, f.what)
		}
		for _, name := range f.tests {
			folder, test := filepath.Split(name)
			if folders[folder] == nil {
				folders[folder] = testsIn(t, filepath.Join(".", folder))
			}
			if !folders[folder][test] {
				t.Errorf("fault %d, %s: there is no %s", i+1, f.what, name)
			}
		}
	}
}

// testsIn lists the tests in the files of a folder.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && f.Recv == nil && (strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Fuzz")) {
				tests[f.Name.Name] = true
			}
		}
	}
	return tests
}
