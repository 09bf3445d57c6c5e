package xds

import (
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// codec is gRPC's own codec for protobuf, but for the names in requests, which
// it shares.
type codec struct {
	encoding.CodecV2
	names *nameLists
}

func newCodec(names *nameLists) codec {
	return codec{CodecV2: encoding.GetCodecV2(grpcproto.Name), names: names}
}

// fieldOfNames is resource_names of a DiscoveryRequest and
// resource_names_subscribe of a DeltaDiscoveryRequest.
const fieldOfNames = 3

// Unmarshal reads a message. A request's names must not be changed afterwards.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	var names *[]string
	switch req := v.(type) {
	case *discovery.DiscoveryRequest:
		names = &req.ResourceNames
	case *discovery.DeltaDiscoveryRequest:
		names = &req.ResourceNamesSubscribe
	}
	if names == nil || data.Len() < minListBytes {
		return c.CodecV2.Unmarshal(data, v)
	}
	buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buf.Free()
	msg := buf.ReadOnlyData()
	from, to := runOf(msg, fieldOfNames)
	if to-from < minListBytes {
		return proto.Unmarshal(msg, v.(proto.Message))
	}
	list := c.names.read(msg[from:to])
	if list == nil {
		return proto.Unmarshal(msg, v.(proto.Message)) // which says what is wrong
	}
	if err := proto.Unmarshal(msg[:from], v.(proto.Message)); err != nil {
		return err
	}
	if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(msg[to:], v.(proto.Message)); err != nil {
		return err
	}
	*names = list.names
	return nil
}

// runOf is where all fields of a number stand in a message, if it is in one
// place and they are strings; else nowhere.
func runOf(msg []byte, field protowire.Number) (from, to int) {
	for at := 0; at < len(msg); {
		num, typ, tag := protowire.ConsumeTag(msg[at:])
		if tag < 0 {
			return 0, 0
		}
		size := protowire.ConsumeFieldValue(num, typ, msg[at+tag:])
		if size < 0 {
			return 0, 0
		}
		end := at + tag + size
		switch {
		case num != field:
		case typ != protowire.BytesType || to != 0 && to != at:
			return 0, 0
		case to == 0:
			from, to = at, end
		default:
			to = end
		}
		at = end
	}
	return from, to
}
