package main

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

func inEcho(srv http.Handler) http.Handler {
	e := echo.New()
	// Echo compresses what is compressed already, as answers to polling clients are, and no client could read them.
	gzip := middleware.GzipConfig{Skipper: func(c *echo.Context) bool {
		return strings.HasPrefix(c.Request().URL.Path, "/socket.io/")
	}}
	e.Use(middleware.Recover(), middleware.GzipWithConfig(gzip), func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			// Not c.Set: of echo's context nothing is left when the request is over.
			c.SetRequest(c.Request().WithContext(withUser(c.Request().Context(), c.QueryParam("user"))))
			return next(c)
		}
	})
	e.Any("/socket.io/*", echo.WrapHandler(srv))
	e.GET("/", func(c *echo.Context) error {
		return c.String(http.StatusOK, "echo serves "+userOf(c.Request().Context()))
	})
	return e
}
