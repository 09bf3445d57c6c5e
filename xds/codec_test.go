package xds

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Whatever comes over the wire is read as protobuf reads it, however its fields
// stand; or refused where protobuf refuses it.
func TestCodecReadsWhatProtobufReads(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	c := newCodec(newNameLists())
	shared := 0
	for i := range 3000 {
		for _, fresh := range []func() proto.Message{
			func() proto.Message { return &discovery.DiscoveryRequest{} },
			func() proto.Message { return &discovery.DeltaDiscoveryRequest{} },
		} {
			wire := randomRequest(t, rng, fresh())
			want, got := fresh(), fresh()
			wantErr := proto.Unmarshal(wire, want)
			gotErr := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, got)
			if (wantErr == nil) != (gotErr == nil) {
				t.Fatalf("request %d: protobuf says %v, the codec %v", i, wantErr, gotErr)
			}
			if wantErr == nil && !proto.Equal(want, got) {
				t.Fatalf("request %d is read as\n%v\nwant\n%v", i, got, want)
			}
			if r, ok := got.(*discovery.DiscoveryRequest); ok && c.names.shared(r.GetResourceNames()) != nil {
				shared++
			}
		}
	}
	if shared < 300 {
		t.Errorf("only %d lists of names were shared: the test shows little", shared)
	}
}

// randomRequest is a request as bytes: whole, in pieces that are not in order,
// with fields that nobody knows, or damaged.
func randomRequest(t *testing.T, rng *rand.Rand, m proto.Message) []byte {
	t.Helper()
	var names []string
	for i := range rng.IntN(60) {
		names = append(names, strings.Repeat("n", rng.IntN(12))+fmt.Sprint(i%7))
	}
	switch m := m.(type) {
	case *discovery.DiscoveryRequest:
		m.ResourceNames, m.TypeUrl, m.ResponseNonce = names, "type.googleapis.com/x", fmt.Sprint(rng.IntN(9))
		if rng.IntN(3) == 0 {
			m.Node = &corev3.Node{Id: "edge"}
			m.ErrorDetail = &rpcstatus.Status{Message: "no"}
		}
	case *discovery.DeltaDiscoveryRequest:
		m.ResourceNamesSubscribe, m.ResourceNamesUnsubscribe, m.TypeUrl = names, names[:len(names)/3], "type.googleapis.com/x"
		m.InitialResourceVersions = map[string]string{"a": "1"}
	}
	wire, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	switch rng.IntN(6) {
	case 0: // the fields in another order
		var fields [][]byte
		for at := 0; at < len(wire); {
			_, _, n := protowire.ConsumeField(wire[at:])
			fields = append(fields, wire[at:at+n])
			at += n
		}
		rng.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		return slices.Concat(fields...)
	case 1: // the same field in two runs, with one that nobody knows between
		again := protowire.AppendTag(slices.Clone(wire), 900, protowire.VarintType)
		again = protowire.AppendVarint(again, 7)
		return append(again, wire...)
	case 2: // a name that is no UTF-8
		return protowire.AppendBytes(protowire.AppendTag(slices.Clone(wire), fieldOfNames, protowire.BytesType), []byte{0xff})
	case 3: // cut off, or with a byte that is another
		if len(wire) == 0 {
			return wire
		}
		at := rng.IntN(len(wire))
		if rng.IntN(2) == 0 {
			return wire[:at]
		}
		damaged := slices.Clone(wire)
		damaged[at] ^= byte(1 << rng.IntN(8))
		return damaged
	}
	return wire
}

// Two who ask for the same share one list; what one of them changes is its own.
func TestNamesAreSharedUntilOneChanges(t *testing.T) {
	lists := newNameLists()
	var block []byte
	for i := range 40 {
		block = protowire.AppendString(protowire.AppendTag(block, fieldOfNames, protowire.BytesType), fmt.Sprintf("cluster-%02d", i))
	}
	one, two := lists.read(block), lists.read(slices.Clone(block))
	if one == nil || one != two {
		t.Fatalf("the same names were read as %p and %p", one, two)
	}
	if lists.of(one.names) != one || lists.sizeOf(one.names) != len(block) {
		t.Error("a shared list is not known again")
	}
	var a, b nameSet
	a.share(one)
	b.add(two)
	b.remove("cluster-07")
	b.add(newNameList([]string{"*", "more"}))
	if !a.has("cluster-07") || a.has("more") || b.has("cluster-07") || !b.has("more") || b.has("*") {
		t.Errorf("a has %v, b has %v", a.sorted(), b.sorted())
	}
	if len(a.sorted()) != 40 || len(b.sorted()) != 40 || !slices.IsSorted(b.sorted()) {
		t.Errorf("a lists %d, b lists %v", len(a.sorted()), b.sorted())
	}

	// No client makes it remember without end.
	for i := range 40 {
		lists.read(protowire.AppendString(protowire.AppendTag(nil, fieldOfNames, protowire.BytesType), strings.Repeat("x", maxListBytes/8+i)))
	}
	if lists.bytes > maxListBytes || len(lists.byHash) > 8 {
		t.Errorf("%d lists of %d bytes are remembered", len(lists.byHash), lists.bytes)
	}
}
