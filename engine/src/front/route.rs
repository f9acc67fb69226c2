//! Every route in one screen: method and path → handler. What all requests share is done here, before and after; what is answered without
//! a future leaves the common way in [`answer`].

use super::answering::Coming;
use super::asked::Asked;
use super::problem::Refusal;
use super::reply::{self, Answer};
use super::reserving::Reserving;
use super::wish::Wish;
use super::{coupons, events, health, request, reservations, sales, spare, tickets};
use crate::app::App;
use crate::load::Class;
use hyper::body::{Body as _, Incoming};
use hyper::{Method, Request, Uri};
use std::net::IpAddr;

/// What a path is, with the parts that vary still as the client wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route<'a> {
    Livez,
    Readyz,
    Metrics,
    OpenApi,
    Sale(&'a str),
    Reservations(&'a str),
    Reservation(&'a str, &'a str),
    Claims(&'a str),
    Tickets(&'a str),
    CurrentTicket(&'a str),
    TicketEvents(&'a str),
}

impl Route<'_> {
    fn parse(path: &str) -> Option<Route<'_>> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let mut next = || parts.next();
        let parts = (next(), next(), next(), next(), next(), next(), next());
        let found = match parts {
            (Some("livez"), None, ..) => Route::Livez,
            (Some("readyz"), None, ..) => Route::Readyz,
            (Some("metrics"), None, ..) => Route::Metrics,
            (Some("openapi.json"), None, ..) => Route::OpenApi,
            (Some("v1"), Some("sales"), Some(sale), None, ..) => Route::Sale(sale),
            (Some("v1"), Some("sales"), Some(sale), Some("reservations"), None, ..) => {
                Route::Reservations(sale)
            }
            (Some("v1"), Some("sales"), Some(sale), Some("reservations"), Some(id), None, _) => {
                Route::Reservation(sale, id)
            }
            (Some("v1"), Some("sales"), Some(sale), Some("tickets"), None, ..) => {
                Route::Tickets(sale)
            }
            (Some("v1"), Some("sales"), Some(sale), Some("tickets"), Some("current"), None, _) => {
                Route::CurrentTicket(sale)
            }
            (
                Some("v1"),
                Some("sales"),
                Some(sale),
                Some("tickets"),
                Some("current"),
                Some("events"),
                None,
            ) => Route::TicketEvents(sale),
            (Some("v1"), Some("coupons"), Some(coupon), Some("claims"), None, ..) => {
                Route::Claims(coupon)
            }
            _ => return None,
        };
        Some(found)
    }

    /// The pattern, as metrics and the OpenAPI document name it.
    fn pattern(self) -> &'static str {
        match self {
            Route::Livez => "/livez",
            Route::Readyz => "/readyz",
            Route::Metrics => "/metrics",
            Route::OpenApi => "/openapi.json",
            Route::Sale(_) => "/v1/sales/{sale}",
            Route::Reservations(_) => "/v1/sales/{sale}/reservations",
            Route::Reservation(..) => "/v1/sales/{sale}/reservations/{id}",
            Route::Claims(_) => "/v1/coupons/{coupon}/claims",
            Route::Tickets(_) => "/v1/sales/{sale}/tickets",
            Route::CurrentTicket(_) => "/v1/sales/{sale}/tickets/current",
            Route::TicketEvents(_) => "/v1/sales/{sale}/tickets/current/events",
        }
    }

    /// How early it yields when there is too much to do; `None` for what is no buyer's.
    fn class(self) -> Option<Class> {
        match self {
            Route::Sale(_) => Some(Class::Browse),
            Route::Tickets(_) | Route::CurrentTicket(_) | Route::TicketEvents(_) => {
                Some(Class::Join)
            }
            Route::Reservations(_) | Route::Claims(_) => Some(Class::Reserve),
            Route::Reservation(..) => Some(Class::Cancel),
            Route::Livez | Route::Readyz | Route::Metrics | Route::OpenApi => None,
        }
    }

    fn methods(self) -> &'static [Method] {
        match self {
            Route::Reservations(_) | Route::Claims(_) | Route::Tickets(_) => &[Method::POST],
            Route::Reservation(..) => &[Method::GET, Method::DELETE],
            Route::Livez
            | Route::Readyz
            | Route::Metrics
            | Route::OpenApi
            | Route::Sale(_)
            | Route::CurrentTicket(_)
            | Route::TicketEvents(_) => &[Method::GET],
        }
    }
}

/// Answers one request, whatever it is.
pub(super) fn answer(app: &'static App, peer: IpAddr, request: Request<Incoming>) -> Coming {
    let asked = Asked::of(app, &request);
    let route = Route::parse(request.uri().path());
    let at_once = match let_in(app, peer, route, &request) {
        Ok(_) if request.method() == Method::OPTIONS => None,
        Ok(Route::CurrentTicket(sale)) => {
            tickets::current_at_once(app, sale, &request, asked.started)
        }
        Ok(route @ Route::Reservations(sale)) => {
            let wish = Wish::read(app, sale, &request, asked.started);
            let reserving = Reserving::new(asked, route.pattern(), wish, request);
            return Coming::WithBody(Some(reserving));
        }
        Ok(_) => None,
        Err(refusal) => Some(Err(refusal)),
    };
    let pattern = route.map_or("unknown", Route::pattern);
    match at_once {
        Some(said) if request.body().is_end_stream() => {
            let answer = asked.answered(pattern, said);
            spare::leave(request.into_parts().0.headers);
            Coming::Now(Some(answer))
        }
        // hyper closes a connection whose body is dropped before its answer is begun.
        said => Coming::Later(Box::pin(async move {
            let uri: Uri = request.uri().clone();
            let route = Route::parse(uri.path());
            let said = match (said, route) {
                (Some(said), _) => said,
                (None, Some(route)) => dispatch(app, route, request).await,
                // As `let_in` has said.
                (None, None) => Err(Refusal::NotFound),
            };
            asked.answered(pattern, said)
        })),
    }
}

/// What every request is asked before anything is done for it.
fn let_in<'a>(
    app: &App,
    peer: IpAddr,
    route: Option<Route<'a>>,
    request: &Request<Incoming>,
) -> Result<Route<'a>, Refusal> {
    request::check_head(request)?;
    if !matches!(route, Some(Route::Livez | Route::Readyz | Route::Metrics)) {
        request::check_host(app, request)?;
    }
    let route = route.ok_or(Refusal::NotFound)?;
    if request.method() == Method::OPTIONS {
        return Ok(route);
    }
    let is_head = request.method() == Method::HEAD && route.methods().contains(&Method::GET);
    if !is_head && !route.methods().contains(request.method()) {
        return Err(Refusal::Method {
            allowed: route.methods(),
        });
    }
    let Some(class) = route.class() else {
        return Ok(route);
    };
    if !app.serves_buyers {
        return Err(Refusal::NotFound);
    }
    app.limiter.check_total()?;
    app.limiter
        .check_address(|| request::client(&app.proxies, peer, request.headers()))?;
    // The others take a place, and are asked where they do.
    if class < Class::Reserve {
        app.pressure.load.admit(class)?;
    }
    Ok(route)
}

async fn dispatch(
    app: &'static App,
    route: Route<'_>,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    if request.method() == Method::OPTIONS {
        return Ok(reply::preflight(route.methods()));
    }
    match route {
        Route::Livez => Ok(health::livez()),
        Route::Readyz => Ok(Box::pin(health::readyz(app)).await),
        Route::Metrics => Ok(health::metrics(app)),
        Route::OpenApi => Ok(health::openapi()),
        Route::Sale(sale) => sales::show(app, sale).await,
        // Asked as soon as its head was there; see `answer`.
        Route::Reservations(_) => Err(Refusal::NotFound),
        Route::Reservation(sale, id) if request.method() == Method::DELETE => {
            Box::pin(reservations::cancel(app, sale, id, &request)).await
        }
        Route::Reservation(sale, id) => Box::pin(reservations::show(app, sale, id, &request)).await,
        Route::Claims(coupon) => coupons::claim(app, coupon, request).await,
        Route::Tickets(sale) => tickets::join(app, sale, request).await,
        Route::CurrentTicket(sale) => tickets::current(app, sale, &request).await,
        Route::TicketEvents(sale) => Box::pin(events::listen(app, sale, &request)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_what_the_contract_says() {
        for (path, route) in [
            ("/livez", Some(Route::Livez)),
            ("/v1/sales/a", Some(Route::Sale("a"))),
            ("/v1/sales/a/reservations", Some(Route::Reservations("a"))),
            (
                "/v1/sales/a/reservations/b",
                Some(Route::Reservation("a", "b")),
            ),
            ("/v1/coupons/c/claims", Some(Route::Claims("c"))),
            ("/", None),
            ("/livez/", None),
            ("/v1/sales", None),
            ("/v1/sales/a/reservations/b/c", None),
            ("/v1/sales/a/tickets", Some(Route::Tickets("a"))),
            (
                "/v1/sales/a/tickets/current",
                Some(Route::CurrentTicket("a")),
            ),
            (
                "/v1/sales/a/tickets/current/events",
                Some(Route::TicketEvents("a")),
            ),
            ("/v1/sales/a/tickets/1", None),
            ("/v1/sales/a/tickets/current/events/1", None),
            ("/v2/sales/a", None),
        ] {
            assert_eq!(Route::parse(path), route, "{path}");
        }
    }

    #[test]
    fn the_openapi_document_has_these_routes_and_no_others() {
        let document: serde_json::Value = serde_json::from_str(health::OPENAPI).unwrap();
        let routes = [
            Route::Livez,
            Route::Readyz,
            Route::Metrics,
            Route::OpenApi,
            Route::Sale(""),
            Route::Reservations(""),
            Route::Reservation("", ""),
            Route::Claims(""),
            Route::Tickets(""),
            Route::CurrentTicket(""),
            Route::TicketEvents(""),
        ];
        let paths = document["paths"].as_object().unwrap();
        assert_eq!(paths.len(), routes.len());
        for route in routes {
            let documented: Vec<&String> = paths[route.pattern()]
                .as_object()
                .unwrap()
                .keys()
                .filter(|k| *k != "parameters")
                .collect();
            let served: Vec<String> = route
                .methods()
                .iter()
                .map(|m| m.as_str().to_ascii_lowercase())
                .collect();
            assert!(
                documented.len() == served.len() && served.iter().all(|m| documented.contains(&m)),
                "{}",
                route.pattern()
            );
        }
    }
}
