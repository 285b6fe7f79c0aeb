//! The settings of a route, each at every door where it has an effect.

mod addresses;
mod cors;
mod headers;
mod organizations;
mod tokens;

use narthex_testkit::client::Call;

use crate::world::World;

const DOORS: [&str; 5] = ["proxy", "nginx", "traefik", "caddy", "haproxy"];

/// A request at a door, as its proxy would ask about it.
fn at(world: &World, door: &str, (method, host, path): (&str, &str, &str)) -> Call {
    if door == "proxy" {
        return world.call(method, path).header("host", host);
    }
    let prefix = if door == "nginx" { "x-original" } else { "x-forwarded" };
    let call = world
        .call("GET", &format!("/.narthex/auth/{door}"))
        .header(&format!("{prefix}-method"), method)
        .header(&format!("{prefix}-uri"), path);
    match door {
        "nginx" => call.header("host", host),
        _ => call.header("x-forwarded-host", host),
    }
}

/// The `[[route]]` of a path that members of an organization may call, with further lines.
fn route(upstream: &str, path: &str, require: &str, lines: &str) -> String {
    format!("\n[[route]]\npath = \"{path}\"\nrequire = \"{require}\"\nupstream = \"{upstream}\"\n{lines}\n")
}
