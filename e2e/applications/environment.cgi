#!/bin/sh
# Answers with the headers as a CGI program finds them (RFC 3875 section 4.1.18).
printf 'Content-Type: text/plain\r\n\r\n'
env | grep '^HTTP_' | sort
