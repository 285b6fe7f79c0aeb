-- Asks Narthex whether a request may pass:   http-request lua.narthex ADDRESS:PORT
--
-- What is sent: the request's headers (the token is in one of them) without its body, and the request itself in
-- X-Forwarded-Method, X-Forwarded-Uri (path and query, byte for byte), X-Forwarded-Host, X-Forwarded-Proto and
-- X-Forwarded-For (the client's address). What the client sent under those names is replaced. What comes back: 200 with
-- X-Narthex-Decision: allow and the identity headers for the application, or an answer that is passed on to the client as
-- it is. Anything else refuses the request.

-- Of an answer that lets the request pass, what is no identity header.
local NOT_IDENTITY = {
    ["connection"] = true, ["keep-alive"] = true, ["date"] = true, ["content-length"] = true, ["content-type"] = true,
    ["transfer-encoding"] = true, ["cache-control"] = true, ["vary"] = true, ["server"] = true,
}
-- Belong to one connection, or describe a body that the question does not have.
local NOT_ASKED = {
    ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true,
    ["transfer-encoding"] = true, ["content-length"] = true, ["upgrade"] = true, ["expect"] = true,
}
-- Of a refusal, what the client gets to see.
local ANSWERED = {
    ["content-type"] = true, ["cache-control"] = true, ["www-authenticate"] = true, ["retry-after"] = true,
    ["x-narthex-reason"] = true, ["x-narthex-request-id"] = true, ["vary"] = true, ["allow"] = true,
    ["content-security-policy"] = true, ["referrer-policy"] = true, ["x-content-type-options"] = true,
    ["access-control-allow-origin"] = true, ["access-control-allow-credentials"] = true,
    ["access-control-expose-headers"] = true,
}

local function question(txn)
    local headers = {}
    for name, values in pairs(txn.http:req_get_headers()) do
        if not NOT_ASKED[name] then
            local list = {}
            -- HAProxy counts the values of one name from 0.
            for index = 0, #values do
                list[index + 1] = values[index]
            end
            headers[name] = list
        end
    end
    local host = headers["host"]
    headers["x-forwarded-method"] = { txn.f:method() }
    headers["x-forwarded-uri"] = { txn.f:pathq() }
    headers["x-forwarded-host"] = { host and host[1] or "" }
    headers["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" }
    -- SECURITY: limits.rate counts by this address; it is not the client's to say.
    headers["x-forwarded-for"] = { txn.f:src() }
    return headers
end

local function refuse(txn, status, headers, body)
    local reply = txn:reply({ status = status })
    for name, values in pairs(headers or {}) do
        if ANSWERED[name] then
            for index = 0, #values do
                reply:add_header(name, values[index])
            end
        end
    end
    reply:set_body(body or "")
    txn:done(reply)
end

core.register_action("narthex", { "http-req" }, function(txn, address)
    local answer = core.httpclient():get({
        url = "http://" .. address .. "/.narthex/auth/haproxy",
        headers = question(txn),
        timeout = 10000,
    })
    local headers = answer and answer.headers or {}
    local decision = headers["x-narthex-decision"]
    if not answer or answer.status == nil or answer.status == 0 then
        refuse(txn, 503)
    elseif answer.status == 200 and decision and decision[0] == "allow" then
        for name, values in pairs(headers) do
            -- SECURITY: the answer has every name in use. An empty value says that there is none, and then a header of that
            -- name is the client's own.
            if not NOT_IDENTITY[name] then
                if values[0] == "" then
                    txn.http:req_del_header(name)
                else
                    txn.http:req_set_header(name, values[0])
                end
            end
        end
    elseif answer.status >= 400 then
        refuse(txn, answer.status, headers, answer.body)
    else
        refuse(txn, 503)
    end
end, 1)
