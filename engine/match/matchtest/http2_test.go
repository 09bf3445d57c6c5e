package matchtest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// exchange2 sends a request as HTTP/2 with prior knowledge, over a connection of
// its own, and reads the answer.
func exchange2(conn net.Conn, q Request) Observed {
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return Observed{Err: err.Error()}
	}
	f := http2.NewFramer(conn, conn)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := f.WriteSettings(); err != nil {
		return Observed{Err: err.Error()}
	}
	err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(q), EndStream: true, EndHeaders: true})
	if err != nil {
		return Observed{Err: err.Error()}
	}
	var o Observed
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			o.Err = err.Error()
			return o
		}
		ended, err := o.take(f, frame)
		if err != nil {
			o.Err = err.Error()
		}
		if ended || err != nil {
			return o
		}
	}
}

func fields(q Request) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	add := func(name, value string) { _ = e.WriteField(hpack.HeaderField{Name: name, Value: value}) } // into memory
	add(":method", q.Ask.Method)
	add(":scheme", "http")
	if q.Ask.Host != "" {
		add(":authority", q.Ask.Host)
	}
	add(":path", q.Ask.Path)
	for _, h := range q.Ask.Headers {
		add(h.Name, h.Value)
	}
	return b.Bytes()
}

// take adds what a frame says of the answer; ended says that it is whole.
func (o *Observed) take(f *http2.Framer, frame http2.Frame) (ended bool, err error) {
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			return false, f.WriteSettingsAck()
		}
	case *http2.MetaHeadersFrame:
		headers := map[string]string{}
		for _, h := range frame.Fields {
			headers[h.Name] = h.Value
		}
		if status, ok := headers[":status"]; ok {
			if o.Status, err = strconv.Atoi(status); err != nil {
				return true, err
			}
			o.read(headers)
		}
		return frame.StreamEnded(), nil
	case *http2.DataFrame:
		o.Body += string(frame.Data())
		return frame.StreamEnded(), nil
	case *http2.RSTStreamFrame:
		return true, fmt.Errorf("the stream was reset: %v", frame.ErrCode)
	case *http2.GoAwayFrame:
		return true, fmt.Errorf("the connection was ended: %v %s", frame.ErrCode, frame.DebugData())
	}
	return false, nil
}
