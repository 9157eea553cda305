module github.com/seed-d124fa34/socketio

go 1.26

ignore node_modules

require (
	github.com/coder/websocket v1.8.15
	github.com/google/uuid v1.6.0
)

require (
	github.com/stretchr/testify v1.12.1
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)
