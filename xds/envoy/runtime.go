package envoy

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// runtimeDump is what /runtime says: for each key its value in every layer, ""
// where a layer has none, and the one that counts.
type runtimeDump struct {
	Layers  []string `json:"layers"`
	Entries map[string]struct {
		Values []string `json:"layer_values"`
		Final  string   `json:"final_value"`
	} `json:"entries"`
}

func readRuntime(body []byte) (*runtimeDump, error) {
	var d runtimeDump
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("/runtime is not what Envoy writes: %w", err)
	}
	return &d, nil
}

// runtime compares a layer of the runtime with what /runtime shows: that the
// layer holds what was served, and that no layer above it says otherwise.
func (o observed) runtime(served *runtimev3.Runtime) Active {
	layer, named := o.layers[served.GetName()]
	switch {
	case o.layers == nil || o.values == nil:
		return Active{State: NotObservable}
	case !named:
		return Active{State: Absent, Detail: "its bootstrap has no runtime layer that asks for " + served.GetName()}
	}
	at := slices.Index(o.values.Layers, layer)
	if at < 0 {
		return Active{State: NotObservable, Detail: "/runtime does not show the layer " + layer}
	}
	want := flatten("", served.GetLayer(), map[string]*structpb.Value{})
	detail := ""
	for _, key := range sortedKeys(want) {
		if detail = o.values.differs(key, want[key], at); detail != "" {
			break
		}
	}
	for _, key := range sortedKeys(o.values.Entries) {
		if _, ours := want[key]; detail == "" && !ours && o.values.in(key, at) != "" {
			detail = key + " is still there"
		}
	}
	if detail == "" {
		return Active{State: ActiveSame}
	}
	return Active{State: ActiveOther, Detail: detail, Instead: o.values.effective(served.GetName(), want, at)}
}

// in is the value of a key in a layer, "" for none.
func (d *runtimeDump) in(key string, layer int) string {
	if values := d.Entries[key].Values; layer < len(values) {
		return values[layer]
	}
	return ""
}

// differs says how a key stands otherwise than was served, "" when it does not.
func (d *runtimeDump) differs(key string, want *structpb.Value, layer int) string {
	have := d.in(key, layer)
	switch {
	case have == "":
		return key + " is not there"
	case !sameValue(want, have):
		return fmt.Sprintf("%s is %s instead of %s", key, have, valueText(want))
	}
	values := d.Entries[key].Values
	for above := len(values) - 1; above > layer; above-- {
		if values[above] != "" && values[above] != have {
			return fmt.Sprintf("%s is %s instead of %s: the layer %s overrides it", key, d.Entries[key].Final, have, d.Layers[above])
		}
	}
	return ""
}

// effective is a layer as it counts: the keys that were served, and those that
// the layer has beside them, with the values that win.
func (d *runtimeDump) effective(name string, want map[string]*structpb.Value, layer int) *runtimev3.Runtime {
	out := &runtimev3.Runtime{Name: name, Layer: &structpb.Struct{Fields: map[string]*structpb.Value{}}}
	for key, e := range d.Entries {
		if _, ours := want[key]; !ours && d.in(key, layer) == "" {
			continue
		}
		if n, err := strconv.ParseFloat(e.Final, 64); err == nil {
			out.Layer.Fields[key] = structpb.NewNumberValue(n)
		} else if b, err := strconv.ParseBool(e.Final); err == nil {
			out.Layer.Fields[key] = structpb.NewBoolValue(b)
		} else {
			out.Layer.Fields[key] = structpb.NewStringValue(cleanText(e.Final))
		}
	}
	return out
}

// flatten gives the keys of a layer as Envoy does: the names of nested structs
// are joined by dots, but a fraction (numerator, denominator) is one value.
func flatten(prefix string, s *structpb.Struct, out map[string]*structpb.Value) map[string]*structpb.Value {
	for name, v := range s.GetFields() {
		key := name
		if prefix != "" {
			key = prefix + "." + name
		}
		if inner := v.GetStructValue(); inner != nil && !isFraction(inner) {
			flatten(key, inner, out)
			continue
		}
		out[key] = v
	}
	return out
}

func isFraction(s *structpb.Struct) bool {
	fields := s.GetFields()
	return len(fields) == 0 || fields["numerator"] != nil || fields["denominator"] != nil
}

// sameValue reports whether a value that Envoy shows is the one that was served.
// Envoy writes numbers with six digits, and fractions in a debug format that is
// not meant to be read: those are taken to be the same.
func sameValue(want *structpb.Value, have string) bool {
	switch v := want.GetKind().(type) {
	case *structpb.Value_NumberValue:
		n, err := strconv.ParseFloat(have, 64)
		return err == nil && math.Abs(n-v.NumberValue) <= 1e-5*math.Abs(v.NumberValue)
	case *structpb.Value_BoolValue:
		return have == strconv.FormatBool(v.BoolValue)
	case *structpb.Value_StringValue:
		return have == v.StringValue
	}
	return true
}

func valueText(v *structpb.Value) string {
	if v.GetStructValue() != nil {
		return "a fraction"
	}
	return fmt.Sprint(v.AsInterface())
}
