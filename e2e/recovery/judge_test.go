package recovery

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// spanOf is what JSON makes of a client's history.
func spanOf(server string, first, last float64) span { return span{server, first, last} }

// good is a client that is moved to another room while away. Server A emits 1 to
// everyone before it is in, 2 to its room, 3 to everyone, 4 to its old and 5 to its new
// room, 6 is volatile, 7 is a question, and 8 is to a client that does not exist.
func good() journals {
	const sid = "sid1"
	return journals{
		servers: map[string][]line{"A": {
			{At: 1, Kind: lineArrived, Client: "c", NS: "/", SID: sid},
			{At: 2, Kind: lineEmitted, N: 1, NS: "/"},
			{At: 3, Kind: lineJoined, Client: "c", NS: "/", SID: sid, Rooms: []string{"r", "u"}},
			{At: 4, Kind: lineEmitted, N: 2, NS: "/", To: "r"},
			{At: 5, Kind: lineLeft, Client: "c", NS: "/", SID: sid},
			{At: 6, Kind: lineEmitted, N: 3, NS: "/"},
			{At: 7, Kind: lineMoved, Client: "c", NS: "/", From: "r", Room: "s"},
			{At: 8, Kind: lineEmitted, N: 4, NS: "/", To: "r"},
			{At: 9, Kind: lineEmitted, N: 5, NS: "/", To: "s"},
			{At: 10, Kind: lineArrived, Client: "c", NS: "/", SID: sid, Recovered: true, Rooms: []string{"u", "s"}},
			{At: 11, Kind: lineJoined, Client: "c", NS: "/", SID: sid, Rooms: []string{"s", "u"}},
			{At: 12, Kind: lineEmitted, N: 6, NS: "/", Volatile: true},
			{At: 13, Kind: lineEmitted, N: 7, NS: "/", Client: "c", Question: true},
			{At: 14, Kind: lineAnswered, N: 7, NS: "/", Client: "c"},
			{At: 15, Kind: lineEmitted, N: 8, NS: "/", Client: "d"},
		}},
		clients: []line{
			{Kind: lineConnected, Client: "c", NS: "/", SID: sid, N: 1},
			{Kind: lineDisconnected, Client: "c", NS: "/"},
			{Kind: lineConnected, Client: "c", NS: "/", SID: sid, N: 2, Recovered: true},
			{Kind: lineReceived, Client: "c", NS: "/", History: []span{spanOf("A", 2, 3), spanOf("A", 5, 5), spanOf("A", 7, 7)}},
		},
		killed: map[string]int64{},
	}
}

func TestJudge(t *testing.T) {
	v := judge(good())
	require.True(t, v.Good(), v)
	assert.Equal(t, Verdict{Clients: 1, Perfect: 1, Owed: 4, Delivered: 4, Returns: 1, Recovered: 1, Asked: 1, Answered: 1}, v)

	// What may be received, and need not.
	j := good()
	j.clients[3].History = []span{spanOf("A", 1, 3), spanOf("A", 5, 7)}
	assert.True(t, judge(j).Good())
	j = good()
	j.killed["A"] = 12
	j.clients[3].History = j.clients[3].History[:2]
	assert.True(t, judge(j).Good(), "the last ones before a kill")

	// A session that the client never heard of owes nothing.
	j = good()
	j.servers["A"] = slices.Insert(j.servers["A"], 0,
		line{At: 0, Kind: lineArrived, Client: "c", NS: "/", SID: "sid0"},
		line{At: 0, Kind: lineJoined, Client: "c", NS: "/", SID: "sid0", Rooms: []string{"r", "u"}},
		line{At: 0, Kind: lineEmitted, N: 9, NS: "/"})
	assert.True(t, judge(j).Good())
}

// TestJudgeSeesFaults shows that each broken promise is seen.
func TestJudgeSeesFaults(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(j *journals)
		count func(v Verdict) int
	}{
		"missing": {func(j *journals) { j.clients[3].History = j.clients[3].History[1:] }, func(v Verdict) int { return v.Owed - v.Delivered - 1 }},
		"twice":   {func(j *journals) { j.clients[3].History = append(j.clients[3].History, spanOf("A", 5, 5)) }, func(v Verdict) int { return v.Twice }},
		"disorder": {func(j *journals) {
			j.clients[3].History = []span{spanOf("A", 3, 3), spanOf("A", 2, 2), spanOf("A", 5, 5), spanOf("A", 7, 7)}
		}, func(v Verdict) int { return v.Disorder }},
		"the old room":         {func(j *journals) { j.clients[3].History[1] = spanOf("A", 4, 5) }, func(v Verdict) int { return v.Forbidden }},
		"another's":            {func(j *journals) { j.clients[3].History[2] = spanOf("A", 7, 8) }, func(v Verdict) int { return v.Forbidden }},
		"never emitted":        {func(j *journals) { j.clients[3].History[2] = spanOf("B", 7, 7) }, func(v Verdict) int { return v.Forbidden }},
		"not recovered":        {func(j *journals) { j.clients[2].Recovered = false }, func(v Verdict) int { return v.Returns - v.Recovered }},
		"another sid":          {func(j *journals) { j.clients[2].SID = "sid2" }, func(v Verdict) int { return v.Faults }},
		"other rooms":          {func(j *journals) { j.servers["A"][9].Rooms = []string{"u", "r"} }, func(v Verdict) int { return v.Faults }},
		"answered twice":       {func(j *journals) { j.servers["A"] = append(j.servers["A"], j.servers["A"][13]) }, func(v Verdict) int { return v.Faults }},
		"the client complains": {func(j *journals) { j.clients = append(j.clients, line{Kind: lineProblem}) }, func(v Verdict) int { return v.Faults }},
	} {
		t.Run(name, func(t *testing.T) {
			j := good()
			c.spoil(&j)
			v := judge(j)
			assert.False(t, v.Good())
			assert.Equal(t, 1, c.count(v), v)
		})
	}
}

func TestTable(t *testing.T) {
	var table Table
	sc := Scenario{Name: "a drop"}
	table.Add(sc, NPM, Verdict{Owed: 1000, Delivered: 999, Twice: 3, Returns: 4, Recovered: 3}, nil)
	table.Add(sc, Ours, Verdict{Owed: 10, Delivered: 10, Returns: 2, Recovered: 2}, nil)
	table.Add(sc, Ours, Verdict{Owed: 10, Delivered: 10, Returns: 2, Recovered: 2}, nil)
	table.Add(Scenario{Name: "two"}, Ours, Verdict{}, assert.AnError)
	assert.Equal(t, "| scenario | npm | ours |\n|---|---|---|\n"+
		"| a drop | 99.9 (75.0), 3 twice | 100 (100) |\n"+
		"| two |  | failed |\n", table.Markdown())
	assert.Equal(t, 1, table.Bad(NPM))
	assert.Equal(t, 1, table.Bad(Ours))
}
