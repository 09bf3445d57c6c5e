package task_test

import (
	"testing"

	"example.com/meshtui/engine/task"
)

func TestWakes(t *testing.T) {
	var w task.Wakes
	w.Wake() // nobody is there
	fast, stopFast := w.Changed()
	slow, stopSlow := w.Changed()
	defer stopSlow()
	w.Wake()
	<-fast
	w.Wake() // slow has not looked yet, and holds nobody up
	<-fast
	<-slow
	if len(slow) != 0 {
		t.Error("two wakes of one who did not look are two")
	}
	stopFast()
	w.Wake()
	if len(fast) != 0 {
		t.Error("a subscription that was ended is woken")
	}
	if len(slow) != 1 {
		t.Error("the other one is not")
	}
}
