package xds

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// mute is a stream on which nothing comes until it ends; said is what then comes.
type mute struct {
	grpc.ServerStream
	ctx  context.Context
	said error
}

func (m *mute) RecvMsg(any) error {
	<-m.ctx.Done()
	return m.said
}

// Nobody holds a stream without asking for anything; who has asked once may be
// silent for as long as he likes.
func TestASilentStreamIsEnded(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	h := &hurried{ServerStream: &mute{ctx: ctx}, patience: time.Millisecond}
	if err := h.RecvMsg(nil); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("silent: %v", err)
	}
	end()

	ended, stop := context.WithCancel(t.Context())
	stop()
	h = &hurried{ServerStream: &mute{ctx: ended}, patience: time.Hour}
	if err := h.RecvMsg(nil); err != nil {
		t.Errorf("the first message: %v", err)
	}
	h.ServerStream.(*mute).said = io.EOF
	if err := h.RecvMsg(nil); !errors.Is(err, io.EOF) || h.patience != 0 {
		t.Errorf("afterwards: %v, with a patience of %s", err, h.patience)
	}
}
