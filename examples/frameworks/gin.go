package main

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

func inGin(srv http.Handler) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	g := gin.New()
	g.Use(gin.Recovery(), func(c *gin.Context) {
		// Not c.Set: of gin's context nothing is left when the request is over.
		c.Request = c.Request.WithContext(withUser(c.Request.Context(), c.Query("user")))
	})
	g.Any("/socket.io/*any", gin.WrapH(srv))
	g.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "gin serves "+userOf(c.Request.Context())) })
	return g
}
