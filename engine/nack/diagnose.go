package nack

func diagnose(r Rejection) []Diagnosis { return []Diagnosis{{Words: r.Text, Plain: r.Text}} }
